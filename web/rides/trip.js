// A ride as both of its people see it: how far it is, and its figures.

import { make } from "../elements.js";
import { far, rupiah } from "./words.js";

/** @typedef {import("./seat.js").Ride} Ride */
/** @typedef {import("./seat.js").Seen} Seen */

const STEPS = /** @type {[string, string[]][]} */ ([["Matched", ["MATCHED"]], ["Coming", ["ARRIVING"]], ["Pick-up", ["PICKUP"]], ["Riding", ["ONGOING"]], ["Arrived", ["ARRIVED", "COMPLETED"]]]);

/** @param {string} status */
export function courseOf(status) {
  const at = STEPS.findIndex(([, of]) => of.includes(status));
  return STEPS.map(([words], index) => make("li", { "data-done": String(index < at), "aria-current": index === at ? "step" : null }, words));
}

/** What one wants to know of a ride in figures. @param {Ride} ride @param {Seen | null} seen @param {number | undefined} toPickup in metres */
export function figuresOf(ride, seen, toPickup) {
  const figure = (/** @type {string} */ of, /** @type {string} */ words, /** @type {string} */ value) => make("div", { "data-figure": of }, make("dt", {}, words), make("dd", {}, value));
  if (ride.status !== "ONGOING") return toPickup === undefined ? [] : [figure("pickup", "to the pick-up", far(toPickup))];
  return [figure("metres", "driven", far(Math.max(seen?.distance_m ?? 0, ride.distance_m))), figure("fare", "so far", rupiah(Math.max(seen?.total_cost ?? 0, ride.total_cost)))];
}
