// What rides say in numbers, names and codes, in words for people: money, ways, states, reasons, refusals.

import { ofRefusal as inGeneral } from "../chat/words.js";

/** @typedef {import("./seat.js").Ride} Ride */

const RUPIAH = new Intl.NumberFormat("id-ID", { style: "currency", currency: "IDR", maximumFractionDigits: 0 });
const WHEN = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });

/** "Rp 8.640". @param {number | null | undefined} amount */
export const rupiah = (amount) => RUPIAH.format(amount || 0);

/** "340 m", "1.24 km". @param {number | null | undefined} metres */
export function far(metres) {
  const whole = Math.round(metres ?? 0);
  return whole < 1000 ? `${whole} m` : `${(whole / 1000).toFixed(whole < 10_000 ? 2 : 1)} km`;
}

/** @param {string} timestamp */
export const when = (timestamp) => WHEN.format(new Date(timestamp));

/** Minutes and seconds that are left: "0:29". @param {number} ms */
export function left(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {number} factor */
export const percent = (factor) => `${(Math.round(factor * 10_000) / 100).toLocaleString("en")} %`;

const REASONS = /** @type {Record<string, [string, string]>} */ ({
  driver_rejected: ["You said no.", "The driver said no."],
  passenger_rejected: ["The passenger said no.", "You said no."],
  passenger_cancelled: ["The passenger looks for nobody any more.", "You ended the search."],
  timeout: ["Nobody agreed in time.", "Nobody agreed in time. The driver may be asked again."],
  driver_taken: ["You have another passenger.", "The driver has another passenger now."],
  passenger_taken: ["The passenger goes with another driver.", "You go with another driver."],
  driver_offline: ["You are off duty.", "The driver went off duty."],
  driver_unavailable: ["You were not there to be asked.", "The driver was not there to be asked."],
  search_over: ["The passenger’s search is over.", "The time for searching is over."],
  lost: ["The offer was lost.", "The offer was lost."],
});

/** Why an offer came to nothing. @param {"driver" | "passenger"} role @param {string | undefined} reason */
export const ofReason = (role, reason) => REASONS[reason ?? ""]?.[role === "driver" ? 0 : 1] ?? "It came to nothing.";

const COURSE = /** @type {Record<string, [string, string]>} */ ({
  MATCHED: ["You are matched", "You are matched"],
  ARRIVING: ["Drive to the pick-up", "Your driver is on the way"],
  PICKUP: ["You are at the pick-up", "Your driver is here"],
  ONGOING: ["On the way", "On the way"],
  ARRIVED: ["You have arrived", "You have arrived"],
  COMPLETED: ["Ride completed", "Ride completed"],
  CANCELLED: ["Ride cancelled", "Ride cancelled"],
});

/** As a third person says it. */
const STANDS = /** @type {Record<string, string>} */ ({ MATCHED: "matched", ARRIVING: "coming", PICKUP: "at the pick-up", ONGOING: "riding", ARRIVED: "arrived", COMPLETED: "completed", CANCELLED: "cancelled" });

/** @param {string} status */
export const stands = (status) => STANDS[status] ?? status;

/** @param {"driver" | "passenger"} role @param {string} status */
export const ofStatus = (role, status) => COURSE[status]?.[role === "driver" ? 0 : 1] ?? status;

/** Who ended a ride, as the two say it to each other. @param {"driver" | "passenger"} role @param {Ride} ride */
export function endedBy(role, ride) {
  if (ride.reason === "lost" && ride.ended_by === "system") return "Nothing is known of this ride any more: nothing holds you.";
  const who = ride.ended_by === role ? "You" : ride.ended_by === "system" ? "The fleet" : ride.ended_by === "driver" ? ride.driver_name : ride.passenger_name;
  return `${who} cancelled${ride.reason ? `: ${ride.reason}` : "."}`;
}

/** Why something was not done, kindly. @param {any} error */
export function ofRefusal(error) {
  const { code, message = "" } = error;
  const apart = /is (\d+) m from (the passenger|the pick-up), and must be within (\d+) m/.exec(message);
  if (apart) return `You are ${far(Number(apart[1]))} from ${apart[2]}. Come within ${apart[3]} m, then it works.`;
  if (/no position of the driver is known/.test(message)) return "The server has not heard where you are for a while. Move a little, or place yourself on the map, then try again.";
  if (/has expired/.test(message)) return "This offer has run out.";
  if (/is of a match that is over/.test(message)) return "This offer is over: somebody was quicker, or it was taken back.";
  if (/ride_cancel or its end comes first/.test(message)) return "You are on a ride. End or cancel it first.";
  if (/another search is on/.test(message)) return "You search already, from another window or for another place. End that search first.";
  if (/is of a ride that is over/.test(message)) return "This ride is over.";
  if (/has not started/.test(message)) return "The ride has not started yet.";
  if (code === "UNAUTHORIZED") return "That is not yours to do: it belongs to somebody else, or your token says another role.";
  if (code === "NOT_FOUND") return "There is no such ride any more.";
  return code ? inGeneral(error) : `${error.message}.`;
}
