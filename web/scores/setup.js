// Before a match: who begins, and the toss. For the console and for the organizer's page; what is chosen goes to whoever asked.

import { button, make } from "../elements.js";
import { TEAMS, letterOf } from "./match.js";
import { shirtOf } from "./mat.js";
import { squad } from "./tables.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Key} Key */
/** @typedef {(word: string, payload: Record<string, any>) => void} Say */

const SEVEN = 7;

/** The first seven of each squad at once: what most matches begin with. @param {State} state @param {Say} say */
export function lineUpBoth(state, say) {
  for (const key of TEAMS) {
    if ((state.mat?.[key] ?? []).length === 0) say("line_up", { team: letterOf(key), playerIds: squad(state, key).slice(0, SEVEN).map(({ id }) => id) });
  }
}

/** @param {State} state @param {Key} key @param {Say} say */
export function lineUp(state, key, say) {
  const now = new Set(state.mat?.[key] ?? []);
  const all = squad(state, key);
  const first = now.size > 0 ? now : new Set(all.slice(0, SEVEN).map(({ id }) => id));
  const count = make("p", { class: "hint", role: "status" });
  const boxes = all.map((player) => {
    const input = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox", name: "player", value: player.id, checked: first.has(player.id), onchange: () => counted() }));
    return { input, element: make("label", { class: "choice box" }, input, make("span", {}, make("b", {}, shirtOf(player)), ` ${player.name}${player.isCaptain ? " (c)" : player.isViceCaptain ? " (vc)" : ""}`)) };
  });
  const submit = /** @type {HTMLButtonElement} */ (make("button", { type: "submit", class: now.size > 0 ? "quiet" : null }, now.size > 0 ? "Change" : "These seven"));
  const chosen = () => boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
  const counted = () => {
    const many = chosen().length;
    count.textContent = many === SEVEN ? "Seven begin." : `${many} chosen: ${many < SEVEN ? `${SEVEN - many} more` : `${many - SEVEN} too many`}.`;
    submit.disabled = many !== SEVEN;
  };
  counted();
  return make("form", { class: `card setup-card ${key}`, "data-team": key, onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    say("line_up", { team: letterOf(key), playerIds: chosen() });
  } }, make("fieldset", {}, make("legend", {}, `${state[key].name}: who begins`, now.size > 0 ? make("span", { class: "tag-chip good" }, "named") : null), make("div", { class: "boxes" }, ...boxes.map(({ element }) => element))), count, submit);
}

/** @param {State} state @param {Say} say */
export function toss(state, say) {
  const choices = TEAMS.flatMap((key) => [["raid", "takes the raid"], ["court", "takes the court"]].map(([decision, words]) =>
    button(`${state[key].name} ${words}`, () => say("toss", { winner: letterOf(key), decision }), { class: `big ${key}`, "data-toss": `${key} ${decision}` })));
  const said = state.tossWinner ? make("p", { class: "hint" }, `${state[state.tossWinner].name} won it; ${state[state.firstRaidingTeam].name} raid first.`) : null;
  return make("section", { class: "card setup-card", "aria-labelledby": "toss-title" }, make("h2", { id: "toss-title" }, "The toss: who won it?"), said, make("div", { class: "tosses" }, ...choices));
}
