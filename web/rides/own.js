// Who this window is at the rides, and where it was: kept for the window alone, so that two windows can be two people.

import { onStreet } from "./city.js";
import { away, pointIn } from "./geo.js";
import { identity } from "../identity.js";

/** @typedef {import("./geo.js").Point} Point */
/** @typedef {"driver" | "passenger" | "operator"} Side */

/** Where the town begins for whoever does not say where they are. */
export const HOME = Object.freeze({ latitude: -6.2088, longitude: 106.8456 });

/** The identity of a side: the same window may be a guest of the chat. @param {Side} side @returns {typeof identity} */
export const identityOf = (side) => Object.assign(Object.create(identity), { key: `kulkul.rides.${side}`, now: null });

/** @param {Side} side @param {string} what @returns {any} */
export function kept(side, what) {
  try {
    return JSON.parse(sessionStorage.getItem(`kulkul.rides.${side}.${what}`) ?? "null");
  } catch {
    return null;
  }
}

/** @param {Side} side @param {string} what @param {unknown} value */
export function keep(side, what, value) {
  try {
    sessionStorage.setItem(`kulkul.rides.${side}.${what}`, JSON.stringify(value));
  } catch {
    // Storage may be turned off; then a reload begins at home.
  }
}

/** Where this window was last, else somewhere near home. @param {Side} side */
export function placeOf(side) {
  const was = pointIn(kept(side, "place"));
  return was ?? onStreet(away(HOME, 60 + Math.random() * 320, Math.random()));
}

/** What the device says, or why it does not. @returns {Promise<Point>} */
export function located() {
  return new Promise((resolve, reject) => {
    if (!navigator.geolocation) return reject(new Error("This browser cannot say where you are. Press a place on the map, or choose one from the list."));
    const refused = "This device does not say where you are. Press a place on the map, or choose one from the list.";
    navigator.geolocation.getCurrentPosition(({ coords }) => resolve({ latitude: coords.latitude, longitude: coords.longitude }), () => reject(new Error(refused)), { timeout: 8_000, maximumAge: 60_000 });
  });
}
