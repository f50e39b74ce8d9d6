// A figure over the last hour: a line drawn as SVG, its newest value in words, and the same as a table for whoever does not see lines.

import { make } from "../elements.js";
import { when } from "./shown.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 320;
const HIGH = 76;
/** Rows of the table: five minutes each. */
const ROWS_MAX = 12;

/** @param {string} tag @param {Record<string, string | number>} attributes */
function draw(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/** A round number not below. @param {number} value */
function above(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * unit).find((step) => step >= value) ?? value;
}

/** Averages of the spans that a table has. @param {number[]} at @param {number[]} values */
export function spans(at, values) {
  const each = Math.max(1, Math.ceil(values.length / ROWS_MAX));
  const rows = [];
  for (let from = 0; from < values.length; from += each) {
    const some = values.slice(from, from + each);
    rows.push({ from: at[Math.max(0, from - 1)], to: at[Math.min(from + each, at.length) - 1], mean: some.reduce((sum, value) => sum + value, 0) / some.length, most: Math.max(...some) });
  }
  return rows;
}

/**
 * @param {{title: string, at: number[], values: number[], words: (value: number) => string, of: string}} told
 */
export function chart({ title, at, values, words, of }) {
  const most = above(Math.max(0, ...values));
  const from = at[0] ?? 0;
  const span = Math.max(1, (at.at(-1) ?? 1) - from);
  const place = (/** @type {number} */ value, /** @type {number} */ index) =>
    `${(((at[index] - from) / span) * WIDE).toFixed(1)} ${(HIGH - 2 - (value / most) * (HIGH - 6)).toFixed(1)}`;
  const picture = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
  for (const part of [0.25, 0.5, 0.75]) picture.append(draw("line", { class: "grid", x1: 0, x2: WIDE, y1: HIGH * part, y2: HIGH * part }));
  if (values.length > 1) {
    const line = values.map(place).join(" L");
    picture.append(draw("path", { class: "area", d: `M0 ${HIGH} L${line} L${WIDE} ${HIGH} Z` }), draw("path", { class: "line", d: `M${line}` }));
  }
  const rows = spans(at, values).map((row) =>
    make("tr", {}, make("th", { scope: "row" }, `${when(row.from)} – ${when(row.to)}`), make("td", { class: "figure" }, words(row.mean)), make("td", { class: "figure" }, words(row.most))));
  return make("figure", { class: "card chart", "data-chart": of },
    make("figcaption", {}, make("span", {}, title), make("b", {}, values.length > 0 ? words(/** @type {number} */ (values.at(-1))) : "–")),
    values.length > 1 ? picture : make("p", { class: "nothing" }, "The first samples come within half a minute."),
    make("p", { class: "scale" }, make("span", {}, values.length > 1 ? when(from) : ""), make("span", {}, values.length > 1 ? `up to ${words(most)}` : "")),
    values.length > 1 && make("details", {}, make("summary", {}, "As a table"),
      make("table", {}, make("caption", { class: "out" }, `${title}, the last hour`), make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "From – to"), make("th", { scope: "col", class: "figure" }, "on average"), make("th", { scope: "col", class: "figure" }, "at most"))), make("tbody", {}, ...rows))));
}
