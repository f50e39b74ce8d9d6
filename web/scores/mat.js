// The mat, drawn: two halves with their lines, who is on it, and the raider where raiders go. A picture with its words beside it;
// nothing on it is pressed.

import { make } from "../elements.js";
import { TEAMS, keyOf } from "./match.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Key} Key */

const SVG = "http://www.w3.org/2000/svg";
/** 13 m by 10 m. */
const [WIDTH, HEIGHT, METRE] = [520, 400, 40];

/** @param {string} tag @param {Record<string, string | number>} attributes @param {...(SVGElement | string)} children */
function draw(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** Where one of so many stands in the left half: in two rows, so that names have room. @param {number} index @param {number} count */
function place(index, count) {
  const share = count === 1 ? 0.5 : index / (count - 1);
  return { x: index % 2 === 0 ? 56 : 152, y: METRE + 30 + share * (HEIGHT - 2 * METRE - 76) };
}

/** @param {{number?: number, name: string}} player */
export const shirtOf = (player) => (player.number === undefined ? ([...player.name][0] ?? "?").toUpperCase() : String(player.number));

/** @param {string} name */
function short(name) {
  const first = name.trim().split(/\s+/)[0] ?? "";
  return first.length > 9 ? `${first.slice(0, 8)}…` : first;
}

/** @param {Key} key @param {any} player @param {{x: number, y: number}} at @param {string} kind */
function figure(key, player, { x, y }, kind) {
  const at = key === "teamA" ? x : WIDTH - x;
  return draw("g", { class: `shirt ${key} ${kind}`, transform: `translate(${at} ${y})` },
    draw("circle", { r: 19 }), draw("text", { class: "no", y: 6.5, "text-anchor": "middle" }, shirtOf(player)),
    draw("text", { class: "nm", y: 35, "text-anchor": "middle" }, short(player.name)));
}

/** @param {State} state */
export function mat(state) {
  const line = (/** @type {number} */ x, /** @type {string} */ kind) => draw("line", { class: kind, x1: x, x2: x, y1: METRE, y2: HEIGHT - METRE });
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "mat", role: "img", "aria-label": told(state) },
    draw("rect", { class: "lobby", x: 1, y: 1, width: WIDTH - 2, height: HEIGHT - 2, rx: 8 }),
    draw("rect", { class: "half teamA", x: 1, y: METRE, width: WIDTH / 2 - 1, height: HEIGHT - 2 * METRE }),
    draw("rect", { class: "half teamB", x: WIDTH / 2, y: METRE, width: WIDTH / 2 - 1, height: HEIGHT - 2 * METRE }),
    line(WIDTH / 2, "middle"), line(110, "baulk"), line(WIDTH - 110, "baulk"), line(70, "bonus"), line(WIDTH - 70, "bonus"));
  const raider = state.clock?.raid?.raiderId;
  for (const key of TEAMS) {
    const ids = (state.mat?.[key] ?? []).filter((/** @type {string} */ id) => id !== raider);
    ids.forEach((/** @type {string} */ id, /** @type {number} */ index) => picture.append(figure(key, state.playerStats[id], place(index, ids.length), "")));
    if (raider && state.playerStats[raider]?.team === key) {
      // Over the middle line, at the other side's baulk line.
      picture.append(figure(key, state.playerStats[raider], { x: WIDTH - 178, y: HEIGHT / 2 }, "raids"));
    }
  }
  return picture;
}

/** For those who do not see it. @param {State} state */
function told(state) {
  const side = (/** @type {Key} */ key) => {
    const names = (state.mat?.[key] ?? []).map((/** @type {string} */ id) => `${state.playerStats[id]?.number ?? ""} ${state.playerStats[id]?.name ?? id}`.trim());
    return `${state[key].name}: ${names.length} on the mat${names.length > 0 ? `, ${names.join(", ")}` : ""}`;
  };
  return `The mat. ${TEAMS.map(side).join(". ")}.`;
}

/** Who is out, the first to come back first, and who is not to come back by itself. @param {State} state @param {Key} key */
export function bench(state, key) {
  const chip = (/** @type {any} */ player, /** @type {string} */ kind, /** @type {string} */ words) =>
    make("li", { class: `chip-shirt ${key} ${kind}`, title: `${player.name}${words}` }, make("b", {}, shirtOf(player)), make("span", {}, short(player.name)), words !== "" && make("span", { class: "mark" }, words));
  const out = (state.revival?.[key] ?? []).map((/** @type {string} */ id) => chip(state.playerStats[id], "out-chip", ""));
  const away = Object.values(state.playerStats).filter(({ team, status }) => keyOf(team) === key && (status === "suspended" || status === "expelled"))
    .map((player) => chip(player, player.status, player.status === "suspended" ? " 2 min" : " red card"));
  return make("div", { class: "queue" },
    make("p", { class: "overline" }, out.length > 0 ? `${state[key].name}: out, next back first` : `${state[key].name}: nobody out`),
    make("ol", { class: "chips-row", "aria-label": `${state[key].name}: out, next back first` }, ...out, ...away));
}
