// Something that drives: along a way by streets, at a speed, however seldom it is asked where it is. Pure: the time is an argument.

import { route } from "./city.js";
import { isSame, metres } from "./geo.js";

/** @typedef {import("./geo.js").Point} Point */

export class Wheels {
  /** The way that is left, and how far each of its corners is from its beginning. @type {{points: Point[], ends: number[], since: number, kmh: number} | null} */
  #way = null;

  /** @param {Point} at */
  constructor(at) {
    this.at = at;
  }

  /** Where it drives to. @type {Point | null} */
  get goal() {
    return this.#way?.points.at(-1) ?? null;
  }

  /** What is left of the way, for a map. @returns {Point[]} */
  get way() {
    return this.#way ? [this.at, ...this.#way.points.filter((_, index) => /** @type {any} */ (this.#way).ends[index] > this.#gone)] : [];
  }

  #gone = 0;

  /** @param {Point} to @param {number} kmh @param {number} now */
  drive(to, kmh, now) {
    if (this.goal && isSame(this.goal, to)) {
      if (this.#way?.kmh === kmh) return;
      this.move(now);
    }
    const points = route(this.at, to);
    const ends = [0];
    for (let index = 1; index < points.length; index += 1) ends.push(ends[index - 1] + metres(points[index - 1], points[index]));
    this.#way = { points, ends, since: now, kmh };
    this.#gone = 0;
  }

  stop() {
    this.#way = null;
  }

  /** Puts it somewhere else. @param {Point} at */
  put(at) {
    this.at = at;
    this.#way = null;
  }

  /** Where it is now; at its goal it stops. @param {number} now */
  move(now) {
    if (!this.#way) return this.at;
    const { points, ends, since, kmh } = this.#way;
    const gone = ((now - since) / 3_600) * kmh;
    this.#gone = gone;
    const next = ends.findIndex((end) => end > gone);
    if (next < 1) {
      this.at = points[points.length - 1];
      this.#way = null;
      return this.at;
    }
    const part = (gone - ends[next - 1]) / (ends[next] - ends[next - 1]);
    const [a, b] = [points[next - 1], points[next]];
    const between = (/** @type {"latitude" | "longitude"} */ key) => Math.round((a[key] + (b[key] - a[key]) * part) * 1e7) / 1e7;
    this.at = { latitude: between("latitude"), longitude: between("longitude") };
    return this.at;
  }
}
