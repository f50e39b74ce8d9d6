// Where things are: points as phones say them, how far they are apart, and the flat sheet on which maps are drawn. Pure.

/** @typedef {{latitude: number, longitude: number}} Point */
/** On Mercator's sheet, in its metres: east and north. @typedef {{x: number, y: number}} Spot */

const EARTH_M = 6_371_000;
const RADIAN = Math.PI / 180;
/** Beyond it the sheet has no end. */
const LATITUDE_MAX = 85;

/** Along the ground, by haversine, as the server measures. @param {Point} a @param {Point} b */
export function metres(a, b) {
  const north = Math.sin(((b.latitude - a.latitude) * RADIAN) / 2);
  const east = Math.sin(((b.longitude - a.longitude) * RADIAN) / 2);
  const square = north * north + Math.cos(a.latitude * RADIAN) * Math.cos(b.latitude * RADIAN) * east * east;
  return 2 * EARTH_M * Math.asin(Math.sqrt(Math.min(1, square)));
}

/** @param {Point} point @returns {Spot} */
export function spotOf({ latitude, longitude }) {
  const turned = Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude)) * RADIAN;
  return { x: EARTH_M * longitude * RADIAN, y: EARTH_M * Math.log(Math.tan(Math.PI / 4 + turned / 2)) };
}

/** To the centimetre, which is what the server keeps. @param {Spot} spot @returns {Point} */
export function pointOf({ x, y }) {
  const degrees = (/** @type {number} */ radians) => Math.round((radians / RADIAN) * 1e7) / 1e7;
  const longitude = degrees(x / EARTH_M);
  const turns = Math.abs(longitude) > 180 ? Math.round(longitude / 360) * 360 : 0;
  return { latitude: degrees(2 * Math.atan(Math.exp(y / EARTH_M)) - Math.PI / 2), longitude: longitude - turns };
}

/** A place on the earth, or null. @param {any} said @returns {Point | null} */
export function pointIn(said) {
  const { latitude, longitude } = said ?? {};
  const known = Number.isFinite(latitude) && Number.isFinite(longitude) && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return known ? { latitude, longitude } : null;
}

/** @param {Point} a @param {Point} b */
export const isSame = (a, b) => a.latitude === b.latitude && a.longitude === b.longitude;

/** So far from a place, that way: 0 is north, a quarter is east. @param {Point} from @param {number} far @param {number} turns */
export function away(from, far, turns) {
  const spot = spotOf(from);
  const stretched = far / Math.cos(from.latitude * RADIAN);
  return pointOf({ x: spot.x + Math.sin(turns * 2 * Math.PI) * stretched, y: spot.y + Math.cos(turns * 2 * Math.PI) * stretched });
}
