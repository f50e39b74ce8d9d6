// The squares of the map as rooms name them, as docs/rides.md works them out, and what is told in them. Pure.

import { pointIn } from "../geo.js";

/** @typedef {import("../geo.js").Point} Point */

const DEGREE = 10_000_000;
const ROWS = 9_000;
const COLUMNS = 18_000;

/** @param {number} degrees */
const fine = (degrees) => Math.round(degrees * DEGREE);
/** @param {number} latitude */
const rowOf = (latitude) => Math.min(ROWS - 1, Math.floor((fine(latitude) + 90 * DEGREE) / (DEGREE / 50)));

/** How many squares are side by side in a row. @param {number} row */
function columns(row) {
  const edge = Math.max(Math.abs(row / 50 - 90), Math.abs((row + 1) / 50 - 90));
  return Math.max(1, Math.floor(COLUMNS * Math.cos((edge * Math.PI) / 180)));
}

/** @param {number} row @param {number} longitude */
const columnOf = (row, longitude) => Math.floor(((fine(longitude) + 180 * DEGREE) * columns(row)) / (360 * DEGREE));

/** "ROW.COLUMN". @param {Point} point */
export function squareOf({ latitude, longitude }) {
  const row = rowOf(latitude);
  return `${row}.${columnOf(row, longitude) % columns(row)}`;
}

/** The squares of a piece of the map, those in its middle first. @param {Point} southWest @param {Point} northEast @param {number} most */
export function squaresOf(southWest, northEast, most) {
  const found = /** @type {{name: string, far: number}[]} */ ([]);
  const [low, high] = [rowOf(southWest.latitude), rowOf(northEast.latitude)];
  const middle = (low + high) / 2;
  for (let row = low; row <= high && found.length < most * 20; row += 1) {
    const [west, east] = [columnOf(row, southWest.longitude), columnOf(row, northEast.longitude)];
    for (let column = west; column <= east && column - west < most; column += 1) {
      const all = columns(row);
      found.push({ name: `${row}.${((column % all) + all) % all}`, far: Math.hypot(row - middle, column - (west + east) / 2) });
    }
  }
  return found.sort((a, b) => a.far - b.far).slice(0, most).map(({ name }) => name);
}

/** @typedef {"drivers" | "searches" | "rides"} Kind */
const KINDS = /** @type {Record<string, {kind: Kind, id: string, word: string}>} */ ({
  driver: { kind: "drivers", id: "driver_id", word: "driver" },
  search: { kind: "searches", id: "passenger_id", word: "search" },
  ride: { kind: "rides", id: "ride_id", word: "ride" },
});

/** What is in the squares that are looked at. */
export class Squares {
  /** @type {Record<Kind, Map<string, Record<string, any> & {square: string}>>} */
  all = { drivers: new Map(), searches: new Map(), rides: new Map() };

  /** What a square tells as it happens. Of one that went over a border what was told last holds. @param {string} square @param {string} type @param {any} payload */
  hear(square, type, payload) {
    const { kind, id } = KINDS[type.split("_")[0]] ?? {};
    if (!kind || !id) return false;
    const held = this.all[kind].get(payload[id]);
    if (type.endsWith("_here")) this.all[kind].set(payload[id], { ...payload, square });
    else if (type.endsWith("_left") && held?.square === square) this.all[kind].delete(payload[id]);
    else return false;
    return true;
  }

  /** A square's answer to `get_state`: what it does not name is there no more. @param {string} square @param {any} state */
  take(square, state) {
    this.drop(square);
    for (const { kind, id } of Object.values(KINDS)) for (const one of state[kind] ?? []) this.all[kind].set(one[id], { ...one, square });
  }

  /** A square that is looked at no more. @param {string} square */
  drop(square) {
    for (const held of Object.values(this.all)) for (const [id, one] of held) if (one.square === square) held.delete(id);
  }
}

/** Where to draw something of a square. @param {Record<string, any>} one @param {string} [key] */
export const placed = (one, key = "location") => pointIn(one[key]);
