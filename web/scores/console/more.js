// The second layer: what is said now and then. Each opens what it still has to ask, and says one action.

import { button, make } from "../../elements.js";
import { form } from "../../support/forms.js";
import { asMs, halfLeft, minutes } from "../clock.js";
import { TEAMS, keyOf, letterOf } from "../match.js";
import { squad } from "../tables.js";
import { isHalf } from "../words.js";

/** @typedef {import("../match.js").State} State */
/** @typedef {import("../match.js").Key} Key */
/** @typedef {import("../setup.js").Say} Say */

const REASON_MAX = 200;
/** A captain gives up with no more than these. */
const DECLARE_MAX = 2;

/** @param {any} player */
const called = (player) => `${player.number ?? ""} ${player.name}`.trim();

/**
 * @param {State} state
 * @param {Say} say
 * @param {{now: () => number, tell: (words: string) => void}} page
 */
export function more(state, say, { now, tell }) {
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { id: "more-dialog", class: "more", "aria-labelledby": "more-title" }));
  /** @param {string} words @param {() => void} does @param {boolean} [open] may be said now */
  const item = (words, does, open = true) => {
    const made = button(words, () => (dialog.close(), does()), { class: "quiet" });
    made.disabled = !open;
    return made;
  };
  const half = isHalf(state.phase);
  const begun = state.phase !== "setup" && state.phase !== "ready" && state.phase !== "ended";
  const team = (/** @type {Key} */ key) => state[key].name;
  const each = (/** @type {(key: Key) => HTMLElement} */ of) => TEAMS.map(of);
  const part = (/** @type {string} */ title, /** @type {...HTMLElement} */ ...items) => make("section", { class: "more-part" }, make("h3", { class: "overline" }, title), make("div", { class: "more-items" }, ...items));
  dialog.append(
    make("h2", { id: "more-title" }, "More"),
    part("Points of a side",
      ...each((key) => item(`Technical point: ${team(key)}`, () => void technical(state, key, say), half)),
      ...each((key) => item(`${team(key)} declare`, () => say("declare", { team: letterOf(key) }), half && state[key].onMat > 0 && state[key].onMat <= DECLARE_MAX && !state.clock.raid))),
    part("Clock",
      state.clock.running ? item("Stop the clock", () => say("stop_clock", {}), half) : item("Start the clock", () => say("start_clock", {}), half),
      item("Set the clock…", () => void setClock(state, say, now, tell), state.clock.remainingMs !== null && begun),
      item("End the half", () => say("end_half", {}), half && !state.clock.raid)),
    part("Time-outs and reviews",
      ...(state.timeOut ? [item("End the time-out", () => say("end_time_out", {}))] : [
        ...each((key) => item(`Time-out: ${team(key)} (${state[key].timeOutsLeft} left)`, () => say("time_out", { team: letterOf(key) }), half && state[key].timeOutsLeft > 0 && !state.clock.raid)),
        item("Officials’ time-out", () => say("time_out", {}), half)]),
      ...(state.review ? [item("Review upheld", () => say("decide_review", { upheld: true })), item("Review turned down", () => say("decide_review", { upheld: false }))]
        : each((key) => item(`Review: ${team(key)} (${state[key].reviewsLeft} left)`, () => say("review", { team: letterOf(key), ...(state.raidNumber > 1 && { raidNumber: state.raidNumber - 1 }) }), begun && state[key].reviewsLeft > 0)))),
    part("Players",
      ...each((key) => item(`Substitution: ${team(key)} (${state[key].substitutionsLeft} left)`, () => void substitute(state, key, say, tell), begun && state[key].substitutionsLeft > 0 && !state.clock.raid)),
      item("Card…", () => void card(state, say), begun)),
    part("The match", item("End it before its time…", () => void end(state, say), state.phase !== "ended")),
    make("div", { class: "row end" }, button("Close", () => dialog.close())));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {State} state @param {Key} key @param {Say} say */
async function technical(state, key, say) {
  const loses = state.raidingTeam !== key;
  const answer = await form({
    title: `Technical point: ${state[key].name}`, does: "Give the point",
    fields: [
      { name: "reason", label: "What for?", max: REASON_MAX },
      ...(loses ? [{ name: "turn", label: "And the raid", kind: /** @type {"select"} */ ("select"), options: [{ value: "", words: "goes on as it is" }, { value: "lost", words: `${state[state.raidingTeam]?.name} lose their raid` }] }] : []),
    ],
  });
  if (answer) say("technical", { team: letterOf(key), ...(answer.reason && { reason: answer.reason }), ...(answer.turn === "lost" && { turnLost: true }) });
}

/** @param {State} state @param {Say} say @param {() => number} now @param {(words: string) => void} tell */
async function setClock(state, say, now, tell) {
  const answer = await form({
    title: "Set the clock", does: "Set it",
    words: state.phase === "half_time" || state.phase === "full_time" ? "This takes the half back, with the clock at rest." : "",
    fields: [{ name: "left", label: "Left of the half, as minutes:seconds", value: minutes(halfLeft(state.clock, now())), required: true, max: 5 }],
  });
  if (!answer) return;
  const remainingMs = asMs(answer.left);
  if (remainingMs === null) return tell(`“${answer.left}” is no time: write 7:30 for seven minutes and a half.`);
  say("set_clock", { remainingMs });
}

/** @param {State} state @param {Key} key @param {Say} say @param {(words: string) => void} tell */
async function substitute(state, key, say, tell) {
  const of = (/** @type {string} */ status) => squad(state, key).filter((player) => player.status === status).map((player) => ({ value: player.id, words: called(player) }));
  const [leaves, comes] = [of("in"), of("bench")];
  if (comes.length === 0) return tell(`${state[key].name} have nobody on the bench.`);
  const answer = await form({ title: `Substitution: ${state[key].name}`, does: "Substitute", fields: [
    { name: "out", label: "Leaves the mat", kind: "select", options: leaves, required: true }, { name: "in", label: "Comes from the bench", kind: "select", options: comes, required: true },
  ] });
  if (answer) say("substitute", { team: letterOf(key), outId: answer.out, inId: answer.in });
}

/** @param {State} state @param {Say} say */
async function card(state, say) {
  const options = TEAMS.flatMap((key) => squad(state, key).filter(({ status }) => status !== "expelled").map((player) => ({ value: player.id, words: called(player), group: state[keyOf(player.team)].name })));
  const answer = await form({ title: "Card", does: "Show it", fields: [
    { name: "player", label: "To whom?", kind: "select", options, required: true },
    { name: "card", label: "Which?", kind: "select", options: [{ value: "green", words: "Green: a warning" }, { value: "yellow", words: "Yellow: two minutes, the side plays short" }, { value: "red", words: "Red: out of the match" }] },
  ] });
  if (answer) say("card", { playerId: answer.player, card: answer.card });
}

/** @param {State} state @param {Say} say */
async function end(state, say) {
  const answer = await form({ title: "End it before its time", does: "End the match", grave: true, words: "This is final: after it only an organizer corrects what was scored.", fields: [
    { name: "reason", label: "Why?", kind: "select", options: [{ value: "abandoned", words: "Abandoned" }, { value: "forfeit", words: "Forfeit: one side gives it up" }] },
    { name: "winner", label: "Who has won?", kind: "select", options: [{ value: "", words: "Nobody" }, ...TEAMS.map((key) => ({ value: letterOf(key), words: state[key].name }))] },
  ] });
  if (answer) say("end_match", { reason: answer.reason, ...(answer.winner && { winner: answer.winner }) });
}
