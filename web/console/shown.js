// Figures, times and tables, as people read them.

import { make } from "../elements.js";

/** @typedef {import("../elements.js").Child} Child */

const COUNT = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const SMALL = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

/** @param {number} value */
export const count = (value) => COUNT.format(value);

/** A second's worth. @param {number} value */
export const rate = (value) => (value < 10 ? SMALL : COUNT).format(value);

/** @param {number} value */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${(value < 10 && unit > 0 ? SMALL : COUNT).format(value)} ${units[unit]}`;
}

/** How long ago, roughly. @param {string | number | null | undefined} at */
export function ago(at) {
  if (at === null || at === undefined) return "–";
  const seconds = Math.max(0, Math.round((Date.now() - new Date(at).getTime()) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
}

/** A time of today in words, another with its day. @param {string | number} at */
export function when(at) {
  const date = new Date(at);
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString()} `;
  return day + date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** @param {{epoch: string, offset: number} | null | undefined} place */
export const position = (place) => (place ? `${place.epoch}-${place.offset}` : "–");

/** Words of a name: "tried_again_total" is "tried again". @param {string} name */
export const plain = (name) => name.replace(/_total$/, "").replaceAll("_", " ");

/**
 * A table, each row of which begins with what it is about. A head that ends in "#" is of figures.
 * @param {string} caption
 * @param {string[]} heads
 * @param {Child[][]} rows
 * @param {string} none what is said where there are no rows
 */
export function table(caption, heads, rows, none) {
  if (rows.length === 0) return make("section", { class: "part" }, make("h2", {}, caption), make("p", { class: "nothing" }, none));
  const isFigure = heads.map((head) => head.endsWith("#"));
  const names = heads.map((head) => head.replace(/#$/, ""));
  const cell = (/** @type {Child} */ child, /** @type {number} */ index) =>
    index === 0 ? make("th", { scope: "row", "data-head": names[0] }, child) : make("td", { class: isFigure[index] ? "figure" : null, "data-head": names[index] }, child);
  return make("section", { class: "part" },
    make("h2", {}, caption),
    make("div", { class: "table" }, make("table", {},
      make("caption", { class: "out" }, caption),
      make("thead", {}, make("tr", {}, ...names.map((name, index) => make("th", { scope: "col", class: isFigure[index] ? "figure" : null }, name)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell)))),
    )));
}

/** @param {string} name @param {string} value @param {string} [says] @param {string} [of] a name for tests and styles */
export function figure(name, value, says = "", of = "") {
  return make("div", { class: "card tile", "data-figure": of || null }, make("dt", {}, name), make("dd", {}, value), says ? make("dd", { class: "hint" }, says) : null);
}

/** JSON with air in it; what is none is said so. @param {unknown} payload @param {string} [label] */
export function json(payload, label) {
  const text = payload === null || payload === undefined ? "not JSON, and not shown" : JSON.stringify(payload, null, 2);
  return make("pre", { class: "json", tabindex: "0", role: "region", "aria-label": label ?? "Content" }, text);
}

/** @param {string} href @param {Child} words @param {Record<string, unknown>} [more] */
export const link = (href, words, more = {}) => make("a", { href, ...more }, words);
