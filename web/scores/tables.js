// Figures in tables: what each player and each side has come to, and who has done best.

import { make } from "../elements.js";
import { TEAMS } from "./match.js";
import { shirtOf } from "./mat.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Key} Key */

const STATUS = /** @type {Record<string, string>} */ ({ in: "on the mat", out: "out", bench: "bench", suspended: "suspended", expelled: "sent off" });

/** The squad: who plays first, then the bench. @param {State} state @param {Key} key @returns {any[]} */
export function squad(state, key) {
  const first = state[`${key}PlayerIds`] ?? [];
  const rest = Object.values(state.playerStats).filter(({ id, team }) => team === key && !first.includes(id));
  return [...first.map((/** @type {string} */ id) => state.playerStats[id]).filter(Boolean), ...rest];
}

/** @param {any} player */
function badges(player) {
  const cards = player.cards ?? {};
  const list = [
    player.isCaptain && ["captain", "C", "Captain"], player.isViceCaptain && ["captain", "VC", "Vice-captain"],
    player.superTen && ["good", "Super 10", "Ten raid points"], player.highFive && ["good", "High 5", "Five tackle points"],
    cards.green && ["green", `Green${cards.green > 1 ? ` ×${cards.green}` : ""}`, "Green card"], cards.yellow && ["yellow", `Yellow${cards.yellow > 1 ? ` ×${cards.yellow}` : ""}`, "Yellow card"], cards.red && ["red", "Red", "Red card"],
  ].filter((it) => Array.isArray(it));
  return /** @type {string[][]} */ (list).map(([kind, words, why]) => make("span", { class: `tag-chip ${kind}`, title: why }, words));
}

/** @param {State} state @param {Key} key */
export function players(state, key) {
  const head = [["#", "Number"], ["Player", ""], ["Points", "Points in all"], ["Raid", "Raid points"], ["Tackle", "Tackle points"], ["Raids", "Raids that scored, of all"], ["Tackles", "Tackles credited, of those taken part in"]];
  const rows = squad(state, key).map((player) => make("tr", { "data-status": player.status, "data-player": player.id },
    make("td", { class: "figure" }, shirtOf(player)),
    make("th", { scope: "row" }, player.name, " ", ...badges(player), make("span", { class: "mark status-mark" }, STATUS[player.status] ?? player.status)),
    ...[player.totalPoints, player.raidPoints, player.defencePoints, `${player.successfulRaids}/${player.totalRaids}`, `${player.successfulTackles}/${player.totalTackles}`]
      .map((figure) => make("td", { class: "figure" }, String(figure)))));
  return make("div", { class: "scrolls" }, make("table", { class: `figures-table ${key}` }, make("caption", {}, state[key].name),
    make("thead", {}, make("tr", {}, ...head.map(([words, why]) => make("th", { scope: "col", title: why || null, class: words === "Player" ? null : "figure" }, words)))),
    make("tbody", {}, ...rows)));
}

/** Where the points came from. @param {State} state */
export function sources(state) {
  const rows = /** @type {[string, (side: any) => number][]} */ ([
    ["Touches", ({ points }) => points.touch], ["Bonus", ({ points }) => points.bonus], ["Tackles", ({ points }) => points.tackle],
    ["All-outs", ({ points }) => points.allOut], ["Technical", ({ points }) => points.technical], ["Score", ({ score }) => score],
    ["Super raids", ({ superRaids }) => superRaids], ["Super tackles", ({ superTackles }) => superTackles],
  ]);
  if (TEAMS.some((key) => state[key].tieRaids > 0 || state[key].tiePoints > 0)) rows.splice(6, 0, ["Tie-break", ({ tiePoints }) => tiePoints]);
  return make("table", { class: "figures-table sources" }, make("caption", { class: "out" }, "Where the points came from"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Points"), ...TEAMS.map((key) => make("th", { scope: "col", class: `figure ${key}` }, state[key].name)))),
    make("tbody", {}, ...rows.map(([words, of]) => make("tr", { class: words === "Score" ? "sum" : null }, make("th", { scope: "row" }, words), ...TEAMS.map((key) => make("td", { class: "figure" }, String(of(state[key]))))))));
}

/** @param {State} state */
export function awards(state) {
  const { mvp, bestRaider, bestDefender } = state.awards ?? {};
  const list = /** @type {[string, any][]} */ ([["Player of the match", mvp], ["Best raider", bestRaider], ["Best defender", bestDefender]]).filter(([, award]) => award);
  if (list.length === 0) return make("p", { class: "hint" }, "Nobody has scored yet.");
  return make("dl", { class: "awards" }, ...list.map(([words, award]) => make("div", { class: state.playerStats[award.playerId]?.team ?? "" },
    make("dt", {}, words), make("dd", {}, award.name, " ", make("span", { class: "mark" }, `${award.points} ${award.points === 1 ? "point" : "points"}`)))));
}
