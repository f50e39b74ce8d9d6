// The page about rides: a piece of the town, so that one knows what one will see. It asks the server for nothing.

import { $ } from "../elements.js";
import { coloursOf, drawMark, drawLine, drawTown, pixelOf } from "./draw.js";
import { onStreet, route } from "./city.js";
import { away, spotOf } from "./geo.js";
import { HOME } from "./own.js";

const place = $("map");
const canvas = document.createElement("canvas");
place.append(canvas);

function draw() {
  const { clientWidth: width, clientHeight: height } = place;
  if (width === 0) return;
  const ratio = Math.min(2, devicePixelRatio || 1);
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const view = { centre: spotOf(HOME), scale: 0.3, width, height, ratio };
  const colours = coloursOf(place);
  drawTown(pen, view, colours);
  const at = (/** @type {import("./geo.js").Point} */ point) => pixelOf(view, spotOf(point));
  const [driver, rider, target] = [away(HOME, 330, 0.68), away(HOME, 160, 0.95), away(HOME, 420, 0.3)].map(onStreet);
  drawLine(pen, route(driver, rider).map(at), { tone: "calm" }, colours);
  drawMark(pen, at(target), { shape: "target" }, colours);
  drawMark(pen, at(rider), { shape: "pickup" }, colours);
  drawMark(pen, at(driver), { shape: "driver", turned: 0.9 }, colours);
}

new ResizeObserver(draw).observe(place);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
