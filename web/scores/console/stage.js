// What a scorer does next, by the phase of the match: the pad, or the one or two steps that lead on.

import { button, make } from "../../elements.js";
import { TEAMS, letterOf } from "../match.js";
import { lineUp, lineUpBoth, toss } from "../setup.js";
import { squad } from "../tables.js";
import { mayRaid, ofPhase, ofResult } from "../words.js";

/** @typedef {import("../match.js").State} State */
/** @typedef {import("../match.js").Key} Key */
/** @typedef {import("../setup.js").Say} Say */

/** @param {string} words @param {() => void} does @param {string} [id] */
const big = (words, does, id) => button(words, does, { class: "big", id });

/** @param {string} title @param {...(Node | string | null)} inside */
function step(title, ...inside) {
  return make("section", { class: "card setup-card step", "aria-labelledby": "step-title" }, make("h2", { id: "step-title" }, title), ...inside);
}

/** What a phase is drawn from: the same is not drawn again. @param {State} state */
export function sceneOf(state) {
  const missing = missingIn(state);
  if (missing) return JSON.stringify(["missing", missing, state.mat, state[missing].tieRaiderIds]);
  if (mayRaid(state.phase)) return `pad ${state.phase === "ready"}`;
  return JSON.stringify([state.phase, state.teamA.name, state.teamB.name, state.mat, state.tossWinner, state.teamA.tieRaiderIds, state.teamB.tieRaiderIds, state.teamA.score, state.teamB.score, state.result]);
}

/** The side whose next raider of a tie-break does not play any more. @param {State} state @returns {Key | null} */
function missingIn(state) {
  const { phase, raidingTeam: key } = state;
  if (phase !== "tie_raids" || !key || state.clock.raid) return null;
  return state.mat[key].includes(state[key].tieRaiderIds[state[key].tieRaids]) ? null : key;
}

/**
 * @param {State} state
 * @param {{say: Say, pad: HTMLElement, sheet: string}} page
 * @returns {Node[]}
 */
export function stage(state, { say, pad, sheet }) {
  const { phase } = state;
  const end = () => big("End the match", () => say("end_match", {}), "end-match");
  const level = state.teamA.score === state.teamB.score;
  const missing = missingIn(state);
  if (missing) return [step("Who raids instead?", make("p", {}, "The raider who is next does not play any more. Who has raided stays in the list."), make("div", { class: "setup" }, raiders(state, missing, say)))];
  switch (phase) {
    case "setup": {
      const none = TEAMS.every((key) => (state.mat?.[key] ?? []).length === 0);
      const quick = none ? step("Both squads begin with their first seven?", make("p", {}, "Or choose below, one by one."), big("Yes, the first seven of each", () => lineUpBoth(state, say), "first-seven")) : null;
      const setup = make("div", { class: "setup" });
      setup.append(...[quick, ...TEAMS.map((key) => lineUp(state, key, say)), toss(state, say)].filter((it) => it !== null));
      quick?.classList.add("setup-wide");
      setup.lastElementChild?.classList.add("setup-wide");
      return [setup];
    }
    case "half_time":
    case "overtime_pause":
      return [step(ofPhase(phase), make("p", {}, "Sides change. Who did not raid first in the first half raids first now."), big("Begin the second half", () => say("start_half", {}), "start-half"))];
    case "full_time":
    case "after_tie_break":
      return [step(level && !state.knockout ? "Full time: a tie" : ofPhase(phase), make("p", {}, "After the end only an organizer corrects what was scored."), end())];
    case "awaiting_tie_raids":
      return [step(`Level: ${state.tieRaidsEach} raids each`, make("p", {}, `Each side names ${state.tieRaidsEach} raiders, in their order. Then the tie-break begins.`),
        make("div", { class: "setup" }, ...TEAMS.map((key) => raiders(state, key, say))),
        TEAMS.every((key) => areNamed(state, key)) ? big("Begin the tie-break", () => say("start_tie_break", {}), "start-tie") : null)];
    case "awaiting_overtime":
      return [step("Level: extra time", big("Begin the extra time", () => say("start_tie_break", {}), "start-tie"))];
    case "awaiting_golden_raid":
      return [step("Golden raid", make("p", {}, "Who won the toss for it raids, once. Whoever scores has won."), make("div", { class: "tosses" },
        ...TEAMS.map((key) => button(`${state[key].name} raid`, () => say("golden_raid", { team: letterOf(key) }), { class: `big ${key}` }))))];
    case "after_golden_raid": {
      const decided = state.teamA.tiePoints !== state.teamB.tiePoints;
      return [decided ? step("The golden raid has decided", end())
        : step("Still level: a toss decides", make("div", { class: "tosses" }, ...TEAMS.map((key) => button(`${state[key].name} won the toss`, () => say("decide_by_toss", { winner: letterOf(key) }), { class: `big ${key}` }))), end())];
    }
    case "ended":
      return [step(ofResult(state) || "The match is over", make("p", {}, "What was scored stands on the sheet."), make("a", { class: "button", href: sheet }, "Score sheet"))];
    case "ready":
      return [make("p", { class: "ready-line" }, button("Begin the first half", () => say("start_half", {}), { class: "quiet", id: "start-half" }), " Or start the first raid: it begins the half, too."), pad];
    default:
      return mayRaid(phase) ? [pad] : [step(ofPhase(phase))];
  }
}

/** @param {State} state @param {Key} key */
function areNamed(state, key) {
  const named = state[key].tieRaiderIds ?? [];
  return named.length === state.tieRaidsEach && named.every((/** @type {string} */ id) => ["in", "out"].includes(state.playerStats[id]?.status));
}

/** Of those who play, in the order in which they are chosen: who has raided comes first, and stays.
 * @param {State} state @param {Key} key @param {Say} say */
function raiders(state, key, say) {
  const [named, many, raided] = [state[key].tieRaiderIds ?? [], state.tieRaidsEach, state[key].tieRaids];
  const players = squad(state, key).filter(({ status }) => status === "in" || status === "out");
  const plays = (/** @type {string} */ id) => players.some((player) => player.id === id);
  const chosen = /** @type {string[]} */ (named.filter((/** @type {string} */ id, /** @type {number} */ at) => at < raided || plays(id)).slice(0, many));
  const stands = (/** @type {string} */ id) => chosen.indexOf(id) < raided && chosen.includes(id);
  // With fewer left than raids somebody raids again.
  const few = () => players.every(({ id }) => chosen.includes(id));
  const submit = /** @type {HTMLButtonElement} */ (make("button", { type: "submit", class: areNamed(state, key) ? "quiet" : null }, `Name these ${many}`));
  const picks = players.map((player) => {
    const order = make("b", { class: "no" });
    const pick = button("", () => {
      const at = chosen.lastIndexOf(player.id);
      if (chosen.length < many && (at === -1 || few())) chosen.push(player.id);
      else if (at >= raided) chosen.splice(at, 1);
      shown();
    }, { class: `pick ${key}` });
    pick.append(order, make("span", { class: "nm" }, player.name));
    return { pick, order, id: player.id };
  });
  const shown = () => {
    for (const { pick, order, id } of picks) {
      const at = chosen.flatMap((one, place) => (one === id ? [place + 1] : []));
      order.textContent = at.length === 0 ? "–" : at.join(", ");
      pick.setAttribute("aria-pressed", String(at.length > 0));
      /** @type {HTMLButtonElement} */ (pick).disabled = stands(id) && !(few() && chosen.length < many);
    }
    submit.disabled = chosen.length !== many;
  };
  shown();
  return make("form", { class: `setup-card ${key}`, onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), say("name_tie_raiders", { team: letterOf(key), playerIds: chosen })) },
    make("fieldset", {}, make("legend", {}, state[key].name), make("div", { class: "picks" }, ...picks.map(({ pick }) => pick))), submit);
}
