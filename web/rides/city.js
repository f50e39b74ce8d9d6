// The town that maps here show: streets, parks, a river and places with names, all worked out of coordinates alone. So it is the same town in
// every window, it never has to be fetched, and it is there wherever on the earth somebody stands. It is nobody's real map.

import { pointOf, spotOf } from "./geo.js";

/** @typedef {import("./geo.js").Point} Point */
/** @typedef {import("./geo.js").Spot} Spot */
/** Along and across the streets, which do not run north. @typedef {{u: number, v: number}} Corner */
/** @typedef {{name: string, point: Point}} Place */

/** By how much the town is turned. */
export const TURN = 0.21;
const COS = Math.cos(TURN);
const SIN = Math.sin(TURN);
/** From one street to the next, in metres. */
const BLOCK = { u: 124, v: 92 };
const SWAY = 0.3;
/** One place with a name in each square of this size. */
const PLACES_APART = 520;
const RIVERS_APART = 5200;

const NAMES = [
  "Market", "Station", "Clinic", "Library", "Museum", "Old Harbour", "Banyan Square", "Temple Gate", "Music School", "Stadium", "Post Office",
  "Night Market", "Bus Terminal", "Fountain", "Theatre", "Orchard", "Mosque", "Cathedral", "Town Hall", "Bathing Place", "Rice Barn",
  "Drum Tower", "Kite Field", "Ferry Landing", "Weavers’ Lane", "Tea House", "Observatory", "Lantern Bridge", "Garden Gate",
];

/** A number from 0 to 1 that belongs to two whole numbers and a purpose. @param {number} a @param {number} b @param {number} salt */
export function chance(a, b, salt) {
  let mixed = Math.imul(a | 0, 0x9e3779b1) ^ Math.imul(b | 0, 0x85ebca6b) ^ Math.imul(salt, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
}

/** @param {Spot} spot @returns {Corner} */
export const cornerOf = ({ x, y }) => ({ u: x * COS + y * SIN, v: y * COS - x * SIN });
/** @param {Corner} corner @returns {Spot} */
export const spotAt = ({ u, v }) => ({ x: u * COS - v * SIN, y: u * SIN + v * COS });

/** Where a street runs: those of "u" lie across u, and one drives along v. @param {"u" | "v"} way @param {number} index */
export const street = (way, index) => (index + (chance(index, 0, way === "u" ? 1 : 2) - 0.5) * SWAY) * BLOCK[way];
/** @param {"u" | "v"} way @param {number} index */
export const isAvenue = (way, index) => chance(Math.floor(index / 5), index % 5 === 0 ? 1 : 2, way === "u" ? 3 : 4) < (index % 5 === 0 ? 0.9 : 0.04);

/** The streets between two lines, by their numbers. @param {"u" | "v"} way @param {number} from @param {number} to */
export const streets = (way, from, to) => ({ first: Math.floor(from / BLOCK[way]) - 1, last: Math.ceil(to / BLOCK[way]) + 1 });

/** What stands between streets. @param {number} i @param {number} j @returns {"park" | "square" | "houses"} */
export function blockKind(i, j) {
  if (chance(Math.floor(i / 2), Math.floor(j / 2), 5) < 0.07) return "park";
  const drawn = chance(i, j, 6);
  return drawn < 0.05 ? "park" : drawn < 0.08 ? "square" : "houses";
}

/** Where the rivers are at a height of the town. @param {number} number @param {number} v */
export const river = (number, v) => number * RIVERS_APART + 1450 + 260 * Math.sin(v / 740 + number) + 110 * Math.sin(v / 270);
/** @param {number} from @param {number} to */
export const rivers = (from, to) => ({ first: Math.floor((from - 2000) / RIVERS_APART), last: Math.ceil(to / RIVERS_APART) });

/** @param {"u" | "v"} way @param {number} at @returns {number} the street that is nearest */
function nearest(way, at) {
  const guess = Math.round(at / BLOCK[way]);
  let best = guess;
  for (const index of [guess - 1, guess + 1]) if (Math.abs(street(way, index) - at) < Math.abs(street(way, best) - at)) best = index;
  return best;
}

/** Beside the nearest street. @param {Corner} corner */
function kerb({ u, v }) {
  const [across, along] = [nearest("u", u), nearest("v", v)];
  const isAcross = Math.abs(street("u", across) - u) <= Math.abs(street("v", along) - v);
  return isAcross ? { way: /** @type {"u" | "v"} */ ("u"), index: across, u: street("u", across), v } : { way: /** @type {"u" | "v"} */ ("v"), index: along, u, v: street("v", along) };
}

/** A point on a street. @param {Point} point @returns {Point} */
export const onStreet = (point) => pointOf(spotAt(kerb(cornerOf(spotOf(point)))));

/** The way by streets. @param {Point} from @param {Point} to @returns {Point[]} */
export function route(from, to) {
  const [start, end] = [kerb(cornerOf(spotOf(from))), kerb(cornerOf(spotOf(to)))];
  /** @type {Corner[]} */
  const way = [start];
  if (start.way !== end.way) way.push(start.way === "u" ? { u: start.u, v: end.v } : { u: end.u, v: start.v });
  else if (start.index !== end.index) {
    const other = start.way === "u" ? "v" : "u";
    const middle = street(other, nearest(other, (start[other] + end[other]) / 2));
    way.push({ ...corner(start), [other]: middle }, { ...corner(end), [other]: middle });
  }
  way.push(end);
  return [from, ...way.map((one) => pointOf(spotAt(one))), to];
}

/** @param {Corner} at @returns {Corner} */
const corner = ({ u, v }) => ({ u, v });

/** The places with a name within so many metres, nearest first; of two of one name the nearer. @param {Point} around @param {number} within @returns {Place[]} */
export function places(around, within) {
  const centre = spotOf(around);
  const [first, last] = [-1, 1].map((side) => ({ x: Math.floor((centre.x + side * within) / PLACES_APART), y: Math.floor((centre.y + side * within) / PLACES_APART) }));
  const found = /** @type {{name: string, point: Point, far: number}[]} */ ([]);
  for (let x = first.x; x <= last.x; x += 1) {
    for (let y = first.y; y <= last.y; y += 1) {
      const at = { x: (x + 0.25 + chance(x, y, 7) / 2) * PLACES_APART, y: (y + 0.25 + chance(x, y, 8) / 2) * PLACES_APART };
      const far = Math.hypot(at.x - centre.x, at.y - centre.y);
      const name = NAMES[(((x * 5 + y * 13) % NAMES.length) + NAMES.length) % NAMES.length];
      if (far <= within) found.push({ name, point: onStreet(pointOf(at)), far });
    }
  }
  found.sort((a, b) => a.far - b.far);
  const names = new Set();
  return found.filter(({ name }) => !names.has(name) && names.add(name)).map(({ name, point }) => ({ name, point }));
}
