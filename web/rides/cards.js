// Cards of the sheet beside the map: an offer that runs out, and a receipt. Made of what the seat knows, and told anew each second.

import { button, face, make } from "../elements.js";
import { metres } from "./geo.js";
import { far, left, percent, rupiah, when } from "./words.js";

/** @typedef {import("./seat.js").Offer} Offer */
/** @typedef {import("./seat.js").Ride} Ride */
/** @typedef {import("./seat.js").Payment} Payment */
/** @typedef {"driver" | "passenger"} Side */

/** What an offer waits for, as one side sees it. @param {Side} side @param {string} status */
function waiting(side, status) {
  const [mine, theirs] = side === "driver" ? ["DRIVER_CONFIRMED", "PASSENGER_CONFIRMED"] : ["PASSENGER_CONFIRMED", "DRIVER_CONFIRMED"];
  const other = side === "driver" ? "passenger" : "driver";
  if (status === mine) return { words: `You said yes. Waiting for the ${other}…`, isSaid: true };
  if (status === theirs) return { words: `The ${other} said yes. Do you?`, isSaid: false };
  if (status === "BOTH_CONFIRMED") return { words: "Both said yes…", isSaid: true };
  return { words: side === "driver" ? "Do you take this ride?" : "Do you want this driver?", isSaid: false };
}

/**
 * The card of an offer; told anew it stays the same element, so that a focus in it stays.
 *
 * @param {HTMLElement | undefined} held
 * @param {Side} side @param {Offer} offer @param {number} now
 * @param {{yes: () => void, no: () => void, isBusy: boolean}} does
 */
export function offerCard(held, side, offer, now, { yes, no, isBusy }) {
  const person = side === "driver" ? { id: offer.passenger_id, name: offer.passenger_name } : { id: offer.driver_id, name: offer.driver_name };
  const card = held ?? make("li", { class: "card offer", "data-offer": offer.match_id },
    make("div", { class: "offer-head" }, face(person), make("div", {}, make("b", { class: "offer-name" }, person.name), make("p", { class: "offer-far hint" })), make("span", { class: "offer-left", role: "timer" })),
    make("div", { class: "offer-bar", "aria-hidden": "true" }, make("i")),
    make("p", { class: "offer-words" }),
    make("div", { class: "row" },
      button("Accept", () => yes(), { class: "yes", "aria-label": `Accept ${person.name}` }), button("Decline", () => no(), { class: "quiet no" })));
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (card.querySelector(name));
  // An offer of a fleet's own need not say how long it stands.
  const ms = offer.expires_at ? new Date(offer.expires_at).getTime() - now : null;
  const { words, isSaid } = waiting(side, offer.match_status);
  const trip = offer.target_location ? ` · trip ${far(metres(offer.location, offer.target_location))} as the crow flies` : "";
  // The bar is full when the offer is first seen.
  card.dataset.span ??= String(Math.max(1, ms ?? 1));
  part(".offer-far").textContent = side === "driver" ? `${far(offer.distance_m)} to the pick-up${trip}` : `${far(offer.distance_m)} from your pick-up`;
  part(".offer-left").textContent = ms === null ? "" : left(ms);
  part(".offer-bar i").style.width = `${Math.max(0, Math.min(100, ((ms ?? 0) / Number(card.dataset.span)) * 100))}%`;
  if (part(".offer-words").textContent !== words) part(".offer-words").textContent = words;
  card.dataset.status = offer.match_status;
  const accept = part(".yes");
  const decline = part(".no");
  if (isSaid && document.activeElement === accept) decline.focus();
  accept.hidden = isSaid;
  accept.ariaDisabled = decline.ariaDisabled = isBusy ? "true" : null;
  decline.textContent = isSaid ? "Take it back" : "Decline";
  decline.ariaLabel = `${decline.textContent}: ${person.name}`;
  return card;
}

/** @param {string} words @param {string} figure @param {boolean} [isSum] */
const line = (words, figure, isSum = false) => make("div", { class: isSum ? "sum" : null }, make("dt", {}, words), make("dd", {}, figure));

/** What was driven, and what it came to. @param {Side} side @param {Ride} ride @param {Payment | null} payment */
export function receipt(side, ride, payment) {
  const lines = [line("Driver", ride.driver_name), line("Passenger", ride.passenger_name)];
  if (ride.started_at) lines.push(line("Started", when(ride.started_at)), line("Distance", far(ride.distance_m)));
  if (ride.arrived_at) lines.push(line("Arrived", when(ride.arrived_at)));
  if (payment) {
    lines.push(line(ride.status === "CANCELLED" ? "Cancellation fee" : "Fare", rupiah(payment.fare)));
    if (payment.adjustment_factor < 1) lines.push(line(`Charged ${percent(payment.adjustment_factor)}`, rupiah(payment.adjusted_cost - payment.fare)));
    lines.push(line(payment.status === "PROCESSED" ? "Paid" : "To be paid", rupiah(payment.adjusted_cost), true));
    if (side === "driver") lines.push(line("Fee of the service", rupiah(-payment.admin_fee)), line("Payout", rupiah(payment.driver_payout), true));
  } else lines.push(line("To be paid", "Nothing", true));
  return make("dl", { class: "receipt" }, ...lines);
}
