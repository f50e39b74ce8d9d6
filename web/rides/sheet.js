// What the pages of drivers and passengers share beside the map: which part of the sheet is shown, what is said aloud, places to choose
// from, and what becomes of a press.

import { $, make, tell } from "../elements.js";
import { toast } from "../overlays.js";
import { places } from "./city.js";
import { offerCard } from "./cards.js";
import { far, ofRefusal } from "./words.js";
import { metres } from "./geo.js";

/** @typedef {import("./geo.js").Point} Point */

/** Places of the list: what one walks to, not the whole town. */
const PLACES_M = 2600;
const PLACES_MAX = 24;

/** Shows these parts of the sheet and no other. @param {string[]} ids */
export function parts(...ids) {
  const before = document.activeElement;
  for (const part of document.querySelectorAll("[data-part]")) /** @type {HTMLElement} */ (part).hidden = !ids.includes(part.id);
  // Whoever pressed what is gone now goes on where the news is.
  if (before instanceof HTMLElement && before !== document.body && $("sheet").contains(before) && !before.checkVisibility()) $("sheet-title").focus();
}

/** The head of the sheet: what is going on, and what that means. It is read aloud when it changes. @param {string} title @param {string} words */
export function says(title, words) {
  tell("sheet-title", title);
  tell("sheet-words", words);
}

/** For those who listen. @param {string} words */
export function aloud(words) {
  $("aloud").textContent = words;
}

/** Does it once, however often it is pressed, and says why it was refused. @param {Event | null} event @param {() => Promise<unknown>} does */
export async function press(event, does) {
  const pressed = event?.currentTarget instanceof HTMLButtonElement ? event.currentTarget : null;
  // Not disabled: that would take the focus away from who came by the keys.
  if (pressed?.ariaDisabled === "true") return false;
  tell("refusal", "");
  if (pressed) pressed.ariaDisabled = "true";
  try {
    await does();
    return true;
  } catch (error) {
    tell("refusal", ofRefusal(error));
    return false;
  } finally {
    if (pressed) pressed.ariaDisabled = null;
  }
}

/** What the device could not do. @param {any} error */
export const failed = (error) => toast(error.code ? ofRefusal(error) : error.message);

/** A list of places, nearest first; the first line stands for a place of the map that has no name. @param {HTMLSelectElement} select @param {Point} around @param {string} none */
export function offerPlaces(select, around, none) {
  const found = places(around, PLACES_M).slice(0, PLACES_MAX);
  select.replaceChildren(make("option", { value: "" }, none), ...found.map(({ name, point }) => make("option", { value: JSON.stringify(point) }, `${name}, ${far(metres(around, point))}`)));
}

/** @param {HTMLSelectElement} select @returns {Point | null} */
export const chosen = (select) => (select.value === "" ? null : JSON.parse(select.value));

/** What people call a place of the map: "near Library". @param {Point} point */
export function named(point) {
  const [near] = places(point, 700);
  if (!near) return `at ${point.latitude.toFixed(4)}, ${point.longitude.toFixed(4)}`;
  const apart = metres(near.point, point);
  return apart < 40 ? `at ${near.name}` : apart < 250 ? `near ${near.name}` : `${far(apart)} from ${near.name}`;
}

/** "to Library", "to a place near Library". @param {Point} point */
export function toward(point) {
  const name = named(point);
  return name.startsWith("at ") ? `to ${name.slice(3)}` : `to a place ${name}`;
}

/**
 * The offers, as cards that stay the same as long as the offer does.
 * @param {import("./seat.js").Seat} seat @param {Set<string>} busy @param {(offer: string, accepted: boolean) => void} answer
 */
export function showOffers(seat, busy, answer) {
  const list = $("offers");
  const held = new Map([...list.children].map((card) => [/** @type {HTMLElement} */ (card).dataset.offer, /** @type {HTMLElement} */ (card)]));
  const now = Date.now();
  const open = [...seat.offers.values()].sort((a, b) => a.distance_m - b.distance_m);
  const cards = open.map((offer) => {
    const does = { yes: () => answer(offer.match_id, true), no: () => answer(offer.match_id, false), isBusy: busy.has(offer.match_id) };
    return offerCard(held.get(offer.match_id), seat.role, offer, now, does);
  });
  for (const [id, card] of held) {
    if (seat.offers.has(id ?? "")) continue;
    if (card.contains(document.activeElement)) $("sheet-title").focus();
    card.remove();
  }
  cards.forEach((card, index) => list.children[index] !== card && list.insertBefore(card, list.children[index] ?? null));
}
