// Draws the town and what moves in it onto a canvas. It knows colours and shapes, and nothing of rides.

import { TURN, blockKind, chance, cornerOf, isAvenue, places, river, rivers, street, streets } from "./city.js";
import { pointOf, spotOf } from "./geo.js";

/** @typedef {import("./geo.js").Spot} Spot */
/** @typedef {{centre: Spot, scale: number, width: number, height: number, ratio: number}} View pixels for a metre, and the canvas in pixels of the page */
/** @typedef {Record<string, string>} Colours */

const WAYS = /** @type {const} */ (["u", "v"]);
/** Below it there are avenues alone, and nothing between them. */
const STREETS_FROM = 0.055;
const HOUSES_FROM = 0.42;
const NAMES_FROM = 0.12;
/** A name on the map is a hint: the sheet has all of it. */
const LABEL_CHARS_MAX = 20;

/** As the page's own style says them, by day or by night. @param {Element} element @returns {Colours} */
export function coloursOf(element) {
  const style = getComputedStyle(element);
  const names = ["land", "block", "park", "square", "water", "street", "avenue", "kerb", "words", "halo"];
  const own = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--map-${name}`).trim()]));
  const shared = ["beat", "on-beat", "calm", "wait", "ink", "card", "wood", "soft", "edge"];
  return { ...own, ...Object.fromEntries(shared.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) };
}

/** Where a spot is on the canvas. @param {View} view @param {Spot} spot */
export const pixelOf = ({ centre, scale, width, height }, { x, y }) => ({ x: (x - centre.x) * scale + width / 2, y: (centre.y - y) * scale + height / 2 });
/** @param {View} view @param {{x: number, y: number}} pixel @returns {Spot} */
export const spotIn = ({ centre, scale, width, height }, { x, y }) => ({ x: (x - width / 2) / scale + centre.x, y: centre.y - (y - height / 2) / scale });

/** Streets, and what lies between them, as far as one sees. @param {CanvasRenderingContext2D} pen @param {View} view @param {Colours} colours */
export function drawTown(pen, view, colours) {
  const { scale, width, height, ratio, centre } = view;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.land;
  pen.fillRect(0, 0, width, height);
  const middle = cornerOf(centre);
  const reach = Math.hypot(width, height) / 2 / scale;
  const seen = { u: [middle.u - reach, middle.u + reach], v: [middle.v - reach, middle.v + reach] };
  // One pen for all: metres of the turned town, north up.
  pen.setTransform(scale * ratio * Math.cos(TURN), -scale * ratio * Math.sin(TURN), -scale * ratio * Math.sin(TURN), -scale * ratio * Math.cos(TURN), (width / 2) * ratio, (height / 2) * ratio);
  pen.translate(-middle.u, -middle.v);
  if (scale >= STREETS_FROM) drawBlocks(pen, view, colours, seen);
  drawRivers(pen, colours, seen);
  for (const isGrand of scale >= STREETS_FROM ? [false, true] : [true]) drawStreets(pen, scale, colours, seen, isGrand);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (scale >= NAMES_FROM) drawNames(pen, view, colours);
}

/** @typedef {{u: number[], v: number[]}} Seen */

/** @param {CanvasRenderingContext2D} pen @param {View} view @param {Colours} colours @param {Seen} seen */
function drawBlocks(pen, { scale }, colours, seen) {
  const [across, along] = WAYS.map((way) => streets(way, seen[way][0], seen[way][1]));
  for (let i = across.first; i < across.last; i += 1) {
    const [left, right] = [street("u", i), street("u", i + 1)];
    for (let j = along.first; j < along.last; j += 1) {
      const [low, high] = [street("v", j), street("v", j + 1)];
      const kind = blockKind(i, j);
      if (kind !== "houses") {
        pen.fillStyle = colours[kind];
        pen.fillRect(left, low, right - left, high - low);
      } else if (scale >= HOUSES_FROM) drawHouses(pen, colours, { i, j, left, low, wide: right - left, high: high - low });
    }
  }
}

/** @param {CanvasRenderingContext2D} pen @param {Colours} colours @param {{i: number, j: number, left: number, low: number, wide: number, high: number}} block */
function drawHouses(pen, colours, { i, j, left, low, wide, high }) {
  pen.fillStyle = colours.block;
  const columns = 2 + Math.floor(chance(i, j, 9) * 3);
  const each = (wide - 20) / columns;
  for (let column = 0; column < columns; column += 1) {
    for (const row of [0, 1]) {
      const drawn = chance(i * 8 + column, j * 2 + row, 10);
      if (drawn < 0.1) continue;
      const deep = ((high - 20) / 2 - 5) * (0.62 + drawn * 0.38);
      pen.fillRect(left + 10 + column * each + 1.5, row === 0 ? low + 10 : low + high - 10 - deep, each - 3, deep);
    }
  }
}

/** @param {CanvasRenderingContext2D} pen @param {Colours} colours @param {Seen} seen */
function drawRivers(pen, colours, seen) {
  const { first, last } = rivers(seen.u[0], seen.u[1]);
  pen.strokeStyle = colours.water;
  pen.lineWidth = 64;
  pen.lineJoin = "round";
  for (let number = first; number <= last; number += 1) {
    pen.beginPath();
    for (let v = Math.floor(seen.v[0] / 40) * 40; v <= seen.v[1] + 40; v += 40) pen.lineTo(river(number, v), v);
    pen.stroke();
  }
}

/** @param {CanvasRenderingContext2D} pen @param {number} scale @param {Colours} colours @param {Seen} seen @param {boolean} isGrand */
function drawStreets(pen, scale, colours, seen, isGrand) {
  pen.beginPath();
  for (const way of WAYS) {
    const other = way === "u" ? "v" : "u";
    const { first, last } = streets(way, seen[way][0], seen[way][1]);
    for (let index = first; index <= last; index += 1) {
      if (isAvenue(way, index) !== isGrand) continue;
      const at = street(way, index);
      const ends = /** @type {const} */ ([seen[other][0], seen[other][1]]);
      if (way === "u") (pen.moveTo(at, ends[0]), pen.lineTo(at, ends[1]));
      else (pen.moveTo(ends[0], at), pen.lineTo(ends[1], at));
    }
  }
  const wide = Math.max(isGrand ? 15 : 8, (isGrand ? 2.2 : 1) / scale);
  pen.strokeStyle = colours.kerb;
  pen.lineWidth = wide + 1.6 / scale;
  pen.stroke();
  pen.strokeStyle = isGrand ? colours.avenue : colours.street;
  pen.lineWidth = wide;
  pen.stroke();
}

/** @param {CanvasRenderingContext2D} pen @param {View} view @param {Colours} colours */
function drawNames(pen, view, colours) {
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 3.5;
  pen.strokeStyle = colours.halo;
  const within = Math.hypot(view.width, view.height) / 2 / view.scale;
  for (const { name, point } of places(pointOf(view.centre), Math.min(within, 4000))) {
    const { x, y } = pixelOf(view, spotOf(point));
    pen.fillStyle = colours.words;
    pen.beginPath();
    pen.arc(x, y, 2.6, 0, 7);
    pen.fill();
    pen.strokeText(name, x, y - 11);
    pen.fillText(name, x, y - 11);
  }
}

/** @typedef {"pickup" | "target" | "me" | "driver" | "rider" | "dot"} Shape */
/** @typedef {{shape: Shape, tone?: string, label?: string, turned?: number}} Look `tone` names a colour */

const ARROW = new Path2D("M0-9 6.5 7 0 3.4-6.5 7z");
const PIN = new Path2D("M0 0C-3-7-10-11-10-19a10 10 0 0 1 20 0C10-11 3-7 0 0z");
const FLAG = new Path2D("M-1.5 0v-27h3v1.5h15l-4 5.5 4 5.5h-15V0z");

/** @param {CanvasRenderingContext2D} pen @param {{x: number, y: number}} at @param {Look} look @param {Colours} colours */
export function drawMark(pen, { x, y }, { shape, tone, label, turned = 0 }, colours) {
  pen.save();
  pen.translate(x, y);
  pen.lineWidth = 2.5;
  pen.strokeStyle = colours.card;
  pen.fillStyle = colours[tone ?? { pickup: "calm", target: "beat", me: "ink", driver: "beat", rider: "calm", dot: "wood" }[shape]];
  if (shape === "pickup" || shape === "target") {
    const path = shape === "pickup" ? PIN : FLAG;
    pen.stroke(path);
    pen.fill(path);
    if (shape === "pickup") {
      pen.fillStyle = colours.card;
      pen.beginPath();
      pen.arc(0, -19, 4, 0, 7);
      pen.fill();
    }
  } else if (shape === "driver") {
    pen.beginPath();
    pen.arc(0, 0, 14, 0, 7);
    pen.fill();
    pen.stroke();
    pen.rotate(turned);
    pen.fillStyle = colours["on-beat"];
    pen.fill(ARROW);
  } else {
    const size = shape === "dot" ? 5 : shape === "rider" ? 6 : 8;
    pen.beginPath();
    pen.arc(0, 0, size, 0, 7);
    pen.stroke();
    if (shape === "rider") (pen.lineWidth = 3.5, pen.strokeStyle = pen.fillStyle, pen.stroke());
    else pen.fill();
    if (turned !== 0 && shape === "dot") {
      pen.rotate(turned);
      pen.beginPath();
      pen.moveTo(0, -9);
      pen.lineTo(4, -3);
      pen.lineTo(-4, -3);
      pen.fill();
    }
  }
  pen.restore();
  if (label) drawLabel(pen, { x, y: shape === "pickup" || shape === "target" ? y - 38 : y - 26 }, label, colours);
}

/** @param {CanvasRenderingContext2D} pen @param {{x: number, y: number}} at @param {string} whole @param {Colours} colours */
function drawLabel(pen, { x, y }, whole, colours) {
  const label = whole.length > LABEL_CHARS_MAX ? `${whole.slice(0, LABEL_CHARS_MAX - 1)}…` : whole;
  pen.font = "650 12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const wide = pen.measureText(label).width + 14;
  pen.fillStyle = colours.card;
  pen.strokeStyle = colours.edge;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.roundRect(x - wide / 2, y - 10, wide, 20, 7);
  pen.fill();
  pen.stroke();
  pen.fillStyle = colours.ink;
  pen.fillText(label, x, y + 0.5);
}

/** A way, or a straight line between two who belong together. @param {CanvasRenderingContext2D} pen @param {{x: number, y: number}[]} pixels @param {{tone: string, isDashed?: boolean, wide?: number}} look @param {Colours} colours */
export function drawLine(pen, pixels, { tone, isDashed = false, wide = 4 }, colours) {
  pen.save();
  pen.strokeStyle = colours[tone];
  pen.lineWidth = wide;
  pen.lineJoin = pen.lineCap = "round";
  pen.globalAlpha = 0.75;
  if (isDashed) pen.setLineDash([2, 9]);
  pen.beginPath();
  for (const { x, y } of pixels) pen.lineTo(x, y);
  pen.stroke();
  pen.restore();
}
