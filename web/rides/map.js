// A map that one drags, turns the wheel over and walks with the keys: the town below, and above it marks that glide from one place to
// the next. It has no tiles and asks nobody for anything.

import { button, make } from "../elements.js";
import { pointOf, spotOf } from "./geo.js";
import { coloursOf, drawLine, drawMark, drawTown, pixelOf, spotIn } from "./draw.js";

/** @typedef {import("./geo.js").Point} Point */
/** @typedef {import("./geo.js").Spot} Spot */
/** @typedef {import("./draw.js").Look} Look */
/** @typedef {Look & {point: Point, moved?: (point: Point) => void}} Mark `moved`: it may be dragged, and where it was let go */
/** @typedef {{look: Mark, from: Spot, to: Spot, since: number, ms: number}} Kept */

const SCALE = { least: 0.02, most: 3 };
/** A mark glides as long as it took the news of it to come, and no longer. */
const GLIDE_MS_MAX = 2_500;
/** What moves by more has jumped: nothing drives through houses to get there. */
const JUMP_M = 400;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const DARK = matchMedia("(prefers-color-scheme: dark)");
const FINGER_PX = 22;

export class TownMap {
  /** @type {Map<string, Kept>} */
  #marks = new Map();
  /** @type {Map<string, {points: Point[], tone: string, isDashed?: boolean, wide?: number}>} */
  #lines = new Map();
  #view = { centre: spotOf({ latitude: 0, longitude: 0 }), scale: 0.6, width: 0, height: 0, ratio: 1 };
  /** @type {import("./draw.js").Colours} */
  #colours = {};
  #isStale = true;
  #isWanted = false;
  /** What to show once there is a size. @type {Point[] | null} */
  #fitting = null;
  /** Whether the person has moved it, so that it moves by itself no more. */
  isHeld = false;

  /** @param {HTMLElement} element @param {{label: string, centre: Point, pressed?: (point: Point) => void, fits: () => Point[]}} options */
  constructor(element, { label, centre, pressed, fits }) {
    this.element = element;
    this.pressed = pressed;
    this.fits = fits;
    this.town = /** @type {HTMLCanvasElement} */ (make("canvas", { "aria-hidden": "true" }));
    this.moving = /** @type {HTMLCanvasElement} */ (make("canvas", { tabindex: "0", role: "application", "aria-label": label, "aria-describedby": `${element.id}-keys` }));
    const keys = `Arrow keys move the map, plus and minus zoom, 0 shows all.${pressed ? " Enter chooses the middle of the map." : ""}`;
    const tools = make("div", { class: "map-tools" },
      button("+", () => this.zoom(1.5), { class: "quiet", "aria-label": "Zoom in" }), button("−", () => this.zoom(1 / 1.5), { class: "quiet", "aria-label": "Zoom out" }),
      button("⤢", () => ((this.isHeld = false), this.fit()), { class: "quiet", "aria-label": "Show all" }));
    element.append(this.town, this.moving, make("span", { class: "map-middle", "aria-hidden": "true" }), make("p", { class: "out", id: `${element.id}-keys` }, keys), tools);
    this.#view.centre = spotOf(centre);
    new ResizeObserver(() => this.#size()).observe(element);
    DARK.addEventListener("change", () => this.#paint());
    this.#paint();
    this.#listen();
  }

  /** Puts a mark somewhere, or takes it away. @param {string} id @param {Mark | null} look */
  mark(id, look) {
    const held = this.#marks.get(id);
    if (!look) {
      if (this.#marks.delete(id)) this.#soon();
      return;
    }
    const to = spotOf(look.point);
    const now = performance.now();
    const isHere = held && held.to.x === to.x && held.to.y === to.y;
    if (isHere) held.look = look;
    else {
      const from = held ? this.#at(held, now) : to;
      const jumps = STILL.matches || Math.hypot(to.x - from.x, to.y - from.y) > JUMP_M;
      this.#marks.set(id, { look, from: jumps ? to : from, to, since: now, ms: held ? Math.min(GLIDE_MS_MAX, now - held.since) : 0 });
    }
    this.#soon();
  }

  /** Takes away all marks and lines that are not among these. @param {Set<string>} ids */
  keep(ids) {
    for (const held of [this.#marks, this.#lines]) for (const id of held.keys()) if (!ids.has(id)) held.delete(id);
    this.#soon();
  }

  /** @param {string} id @param {{points: Point[], tone: string, isDashed?: boolean, wide?: number} | null} line */
  line(id, line) {
    if (line) this.#lines.set(id, line);
    else this.#lines.delete(id);
    this.#soon();
  }

  /** Shows these points, or all that matters; unless somebody looks elsewhere just now. @param {Point[]} [points] */
  fit(points = this.fits()) {
    if (this.isHeld || points.length === 0) return;
    const { width, height } = this.#view;
    if (width === 0) return void (this.#fitting = points);
    const spots = points.map(spotOf);
    const [xs, ys] = [spots.map(({ x }) => x), spots.map(({ y }) => y)];
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const [aside, above] = [Math.min(130, width * 0.25), Math.min(150, height * 0.3)];
    const scale = Math.min((width - aside) / Math.max(1, right - left), (height - above) / Math.max(1, high - low), 0.9);
    this.#view.scale = Math.max(SCALE.least, Math.min(SCALE.most, scale));
    this.#view.centre = { x: (left + right) / 2, y: (low + high) / 2 };
    this.#isStale = true;
    this.#soon();
  }

  /** @param {number} by @param {{x: number, y: number}} [pixel] that stays where it is */
  zoom(by, pixel = { x: this.#view.width / 2, y: this.#view.height / 2 }) {
    const before = spotIn(this.#view, pixel);
    this.#view.scale = Math.max(SCALE.least, Math.min(SCALE.most, this.#view.scale * by));
    const after = spotIn(this.#view, pixel);
    this.#move(before.x - after.x, before.y - after.y);
  }

  get centre() {
    return pointOf(this.#view.centre);
  }

  /** The corners of what is seen. */
  get seen() {
    const { width, height } = this.#view;
    return { southWest: pointOf(spotIn(this.#view, { x: 0, y: height })), northEast: pointOf(spotIn(this.#view, { x: width, y: 0 })) };
  }

  /** Where something is on the screen, within the map. @param {Point} point */
  pixel(point) {
    return pixelOf(this.#view, spotOf(point));
  }

  /** @param {number} x @param {number} y metres of the sheet */
  #move(x, y) {
    this.isHeld = true;
    const { centre } = this.#view;
    this.#view.centre = { x: centre.x + x, y: centre.y + y };
    this.#isStale = true;
    this.#soon();
  }

  #size() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = Math.min(2, devicePixelRatio || 1);
    Object.assign(this.#view, { width, height, ratio });
    for (const canvas of [this.town, this.moving]) Object.assign(canvas, { width: width * ratio, height: height * ratio });
    this.#isStale = true;
    if (this.#fitting) (this.fit(this.#fitting), (this.#fitting = null));
    else this.fit();
    this.#draw();
  }

  #paint() {
    this.#colours = coloursOf(this.element);
    this.#isStale = true;
    this.#soon();
  }

  #soon() {
    if (this.#isWanted) return;
    this.#isWanted = true;
    requestAnimationFrame(() => {
      this.#isWanted = false;
      this.#draw();
    });
  }

  /** @param {Kept} kept @param {number} now @returns {Spot} */
  #at({ from, to, since, ms }, now) {
    const part = ms > 0 ? Math.min(1, (now - since) / ms) : 1;
    return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
  }

  #draw() {
    const { width, height, ratio } = this.#view;
    if (width === 0 || height === 0) return;
    const pen = /** @type {CanvasRenderingContext2D} */ (this.moving.getContext("2d"));
    if (this.#isStale) drawTown(/** @type {CanvasRenderingContext2D} */ (this.town.getContext("2d")), this.#view, this.#colours);
    this.#isStale = false;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    for (const { points, ...look } of this.#lines.values()) drawLine(pen, points.map((point) => this.pixel(point)), look, this.#colours);
    const now = performance.now();
    let glides = false;
    for (const kept of this.#marks.values()) {
      const spot = this.#at(kept, now);
      const aside = { x: kept.to.x - kept.from.x, y: kept.to.y - kept.from.y };
      const isTurned = kept.ms > 0 && (aside.x !== 0 || aside.y !== 0);
      drawMark(pen, pixelOf(this.#view, spot), { ...kept.look, turned: kept.look.turned ?? (isTurned ? Math.atan2(aside.x, aside.y) : 0) }, this.#colours);
      glides ||= kept.ms > 0 && now - kept.since < kept.ms;
    }
    if (glides) this.#soon();
  }

  #listen() {
    const { moving } = this;
    /** @type {Map<number, {x: number, y: number}>} */
    const fingers = new Map();
    /** @type {{far: number, held: Mark | null, id: string} | null} */
    let drag = null;
    const pixel = (/** @type {MouseEvent} */ { clientX, clientY }) => {
      const { left, top } = moving.getBoundingClientRect();
      return { x: clientX - left, y: clientY - top };
    };
    moving.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, pixel(event));
      moving.setPointerCapture(event.pointerId);
      const [id, held] = fingers.size === 1 ? this.#under(pixel(event)) : ["", null];
      drag = { far: 0, held, id };
    });
    moving.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before || !drag) return;
      const now = pixel(event);
      if (fingers.size === 2) {
        const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
        const [was, is] = [before, now].map(({ x, y }) => Math.hypot(x - other.x, y - other.y));
        if (was > 0) this.zoom(is / was, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
        drag.far = Infinity;
      } else {
        drag.far += Math.hypot(now.x - before.x, now.y - before.y);
        if (drag.far < 6 && drag.far > 0 && event.pointerType !== "mouse") return;
        if (drag.held) this.mark(drag.id, { ...drag.held, point: pointOf(spotIn(this.#view, now)) });
        else if (drag.far >= 4) this.#move((before.x - now.x) / this.#view.scale, (now.y - before.y) / this.#view.scale);
      }
      fingers.set(event.pointerId, now);
    });
    const up = (/** @type {PointerEvent} */ event) => {
      if (!fingers.delete(event.pointerId) || !drag || fingers.size > 0) return;
      const at = pointOf(spotIn(this.#view, pixel(event)));
      const { far, held } = drag;
      drag = null;
      if (event.type === "pointercancel") return;
      if (held && far >= 4) held.moved?.(at);
      else if (far < 6) this.pressed?.(at);
    };
    for (const type of /** @type {const} */ (["pointerup", "pointercancel"])) moving.addEventListener(type, up);
    moving.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), pixel(event));
    }, { passive: false });
    moving.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {{x: number, y: number}} pixel @returns {[string, Mark | null]} */
  #under({ x, y }) {
    for (const [id, { look }] of [...this.#marks].reverse()) {
      const at = this.pixel(look.point);
      const lift = look.shape === "pickup" || look.shape === "target" ? 14 : 0;
      if (look.moved && Math.hypot(at.x - x, at.y - lift - y) < FINGER_PX) return [id, look];
    }
    return ["", null];
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60 / this.#view.scale;
    const does = /** @type {Record<string, () => void>} */ ({
      ArrowLeft: () => this.#move(-step, 0), ArrowRight: () => this.#move(step, 0), ArrowUp: () => this.#move(0, step), ArrowDown: () => this.#move(0, -step),
      "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => ((this.isHeld = false), this.fit()), Enter: () => this.pressed?.(this.centre),
    })[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }
}
