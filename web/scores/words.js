// What a match says in names and codes, in words for people: phases, actions, refusals.

import { ofRefusal as inGeneral } from "../chat/words.js";
import { listed } from "../elements.js";
import { keyOf, otherOf } from "./match.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Line} Line */

const PHASES = /** @type {Record<string, string>} */ ({
  setup: "Before the match", ready: "Ready to begin", first_half: "First half", half_time: "Half-time", second_half: "Second half",
  full_time: "Full time", awaiting_tie_raids: "Level: tie-break to come", tie_raids: "Tie-break raids", awaiting_overtime: "Level: extra time to come",
  overtime_first_half: "Extra time, first half", overtime_pause: "Extra time, break", overtime_second_half: "Extra time, second half",
  after_tie_break: "Tie-break over", awaiting_golden_raid: "Golden raid to come", golden_raid: "Golden raid", after_golden_raid: "Golden raid over", ended: "Ended",
});

/** @param {string} phase */
export const ofPhase = (phase) => PHASES[phase] ?? phase;

/** A half is on, timed or not. @param {string} phase */
export const isHalf = (phase) => /^(overtime_)?(first|second)_half$/.test(phase);
/** Whose raid is next is known, and it may be said. @param {string} phase */
export const mayRaid = (phase) => isHalf(phase) || ["ready", "tie_raids", "golden_raid"].includes(phase);

export const PROFILES = /** @type {Record<string, string>} */ ({ pkl: "Pro league (pkl)", akfi: "Federation (akfi)", raidx: "One half, no clock (raidx)" });

/** @param {number | undefined} count @param {string} one @param {string} [many] */
export const many = (count, one, many = `${one}s`) => `${count ?? 0} ${count === 1 ? one : many}`;

/** @param {State} state @param {string} id */
export function nameOf(state, id) {
  return state.playerStats?.[id]?.name ?? id;
}

/** Who leads or has won. @param {State} state */
export function ofResult(state) {
  const { result, teamA, teamB } = state;
  if (!result) return "";
  if (result.reason === "abandoned") return result.winner ? `Abandoned; ${state[result.winner].name} win` : "Abandoned";
  if (!result.winner) return "A tie: the points are shared";
  const winner = state[result.winner].name;
  const how = { score: `by ${Math.abs(teamA.score - teamB.score)}`, tie_break: "in the tie-break", toss: "by toss", tie: "" }[String(result.by)] ?? "";
  return `${winner} win ${result.reason === "forfeit" ? "by forfeit" : how}`.trim();
}

const OUTS = /** @type {Record<string, string>} */ ({ bounds: "steps out of bounds", lobby: "steps into a dead lobby", baulk: "does not reach the baulk line", cant: "loses the cant", time: "runs out of time" });
export const WAYS_OUT = /** @type {[string, string][]} */ ([["bounds", "Out of bounds"], ["lobby", "Dead lobby"], ["baulk", "Baulk line not crossed"], ["cant", "Lost the cant"], ["time", "Time was up"]]);

/** What happened in a raid. @param {State} state @param {Line} line */
function ofRaid(state, line) {
  const names = (/** @type {string[] | undefined} */ ids) => listed((ids ?? []).map((id) => nameOf(state, id)));
  const raider = nameOf(state, line.raiderId);
  const { action } = line;
  const selfOuts = line.lobbyEvents ?? [];
  const defenders = (line.defenderIds ?? []).filter((/** @type {string} */ id) => !selfOuts.includes(id));
  const parts = [];
  if (line.result === "defenseSuccess" && (action?.tacklerIds?.length || !line.raiderOut)) {
    parts.push(`${raider} is caught by ${names(defenders)}${line.superTackle ? ": super tackle" : ""}`);
    if (line.bonusTaken) parts.push("after the bonus");
  } else if (line.raiderOut) {
    parts.push(`${raider} ${OUTS[line.raiderOut] ?? "goes out"}`);
    if (line.bonusTaken) parts.push("after the bonus");
  } else if (line.result === "doOrDieRaid") {
    parts.push(`${raider} comes home with nothing from a do-or-die raid, and is out`);
  } else if (line.result === "emptyRaid") {
    parts.push(`${raider} comes home empty`);
  } else {
    const did = [defenders.length > 0 && `touches ${names(defenders)}`, line.bonusTaken && "takes the bonus"].filter((it) => it);
    parts.push(did.length > 0 ? `${raider} ${listed(/** @type {string[]} */ (did))}` : `${raider} comes home`);
  }
  if (selfOuts.length > 0) parts.push(`${names(selfOuts)} ${selfOuts.length === 1 ? "steps" : "step"} out`);
  const marks = [line.superRaid && "super raid", line.allOutTeam && `${state[line.allOutTeam]?.name ?? "the other side"} all out`].filter((it) => it);
  return `${parts.join(", ")}${marks.length > 0 ? `: ${marks.join(", ")}` : ""}.`;
}

/** @param {State} state @param {Line} line */
export function ofLine(state, line) {
  if (line.raidNumber !== undefined && line.raiderId !== undefined) return ofRaid(state, line);
  return ofAction(state, line.action ?? {}, line);
}

/** What was said, also before it is known what comes of it. @param {State} state @param {Record<string, any>} action @param {Line} [line] */
export function ofAction(state, action, line) {
  const team = action.team ? state[keyOf(action.team)]?.name : "";
  const name = (/** @type {string} */ id) => nameOf(state, id);
  const because = action.reason ? ` (${action.reason})` : "";
  switch (action.type) {
    case "line_up": return `${team} name their seven.`;
    case "toss": return `${state[keyOf(action.winner)]?.name} win the toss and take the ${action.decision === "raid" ? "first raid" : "court"}.`;
    case "start_half": return "The half begins.";
    case "end_half":
    case "half_over": return "The half is over.";
    case "start_clock": return "The clock goes on.";
    case "stop_clock": return `The clock is stopped${because}.`;
    case "set_clock": return `The clock is set to ${Math.floor(action.remainingMs / 60_000)}:${String(Math.round((action.remainingMs % 60_000) / 1000)).padStart(2, "0")}.`;
    case "start_raid": return `${action.raiderId ? name(action.raiderId) : "The raider"} goes.`;
    case "raid_time": return "Thirty seconds are over.";
    case "raid": return ofMeant(state, action);
    case "technical": return `Technical point to ${team}${because}${action.turnLost ? `; ${state[otherOf(keyOf(action.team))]?.name} lose their raid` : ""}.`;
    case "substitute": return `${team}: ${name(action.inId)} for ${name(action.outId)}.`;
    case "time_out": return team ? `Time-out, ${team}.` : "Officials' time-out.";
    case "end_time_out":
    case "time_out_over": return "The time-out is over.";
    case "review": return `${team} ask for a review${action.raidNumber ? ` of raid ${action.raidNumber}` : ""}.`;
    case "decide_review": return action.upheld ? "The review is upheld." : "The review is turned down.";
    case "card": return `${action.card[0].toUpperCase()}${action.card.slice(1)} card for ${name(action.playerId)}${action.card === "yellow" ? ": two minutes" : action.card === "red" ? ": out of the match" : ""}.`;
    case "suspension_over": return `${name(action.playerId)} may come back.`;
    case "declare": return `${team} declare: ${line?.outIds ? listed(line.outIds.map(name)) : "their last players"} give themselves up.`;
    case "name_tie_raiders": return `${team} name their five raiders.`;
    case "start_tie_break": return "The tie-break begins.";
    case "golden_raid": return `Golden raid: ${team} raid.`;
    case "decide_by_toss": return `The toss decides for ${state[keyOf(action.winner)]?.name}.`;
    case "end_match": return action.reason && action.reason !== "completed" ? `The match ends: ${action.reason}.` : "The match is over.";
    default: return String(action.type ?? "An action").replaceAll("_", " ");
  }
}

/** A raid as it was said: what it comes to is the match's to tell. @param {State} state @param {Record<string, any>} action */
function ofMeant(state, action) {
  const of = (/** @type {string[] | undefined} */ ids) => ids ?? [];
  const line = /** @type {Line} */ ({
    number: 0, raiderId: action.raiderId, raiderOut: action.raiderOut, bonusTaken: action.bonus, lobbyEvents: of(action.selfOutIds), action,
    defenderIds: of(action.tacklerIds).length > 0 ? action.tacklerIds : of(action.touchedIds),
    result: of(action.tacklerIds).length > 0 ? "defenseSuccess" : of(action.touchedIds).length > 0 || action.bonus || of(action.selfOutIds).length > 0 ? "raidSuccess" : "emptyRaid",
  });
  return ofRaid(state, line);
}

/** What everybody wants to read: the raid clock's own comings and goings are not among it. @param {Line} line */
export const isNews = (line) => !["start_raid", "raid_time", "start_clock", "suspension_over"].includes(line.action?.type ?? "");

/** Ids in what a refusal says, as names. @param {State | null} state @param {string} text */
export function named(state, text) {
  const words = text.replace(/\bteam (A|B)\b/g, (all, letter) => state?.[keyOf(letter)]?.name ?? all);
  return words.replace(/[\w.:-]+/g, (word) => state?.playerStats?.[word]?.name ?? word);
}

/** Why something was not done. @param {any} error @param {State | null} [state] */
export function ofRefusal(error, state = null) {
  const { code, message } = error;
  switch (code) {
    case "RULE": return `The rules do not allow it: ${named(state, message)}.`;
    case "BREAKS": return "Later actions would not be possible any more.";
    case "MATCH_OVER": return "The match is over. Only an organizer corrects what was before its end.";
    case "NOT_INITIALIZED": return "There is no match of this name yet.";
    case "FULL": return "The log of this match is full: end it, and go on in another.";
    case "FORBIDDEN": return `${message[0]?.toUpperCase() ?? ""}${message.slice(1)}.`;
    case "NOT_FOUND": return `${message[0]?.toUpperCase() ?? ""}${message.slice(1)}.`;
    default: return code ? inGeneral(error) : `${error.message}.`;
  }
}

/** Actions that a correction would set aside: `[number, why]`, and how many more. @param {string} message */
export function broken(message) {
  const list = [...message.matchAll(/(\d+) \(([^)]*)\)/g)].map(([, number, why]) => ({ number: Number(number), why }));
  const more = Number(/ and (\d+) more/.exec(message)?.[1] ?? 0);
  return { list, more };
}
