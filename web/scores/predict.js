// What an action will come to, before the server has said so: for a scorer whose connection is away, and for the points that stand
// on a button. The server's word replaces it; the rules that no profile has otherwise are here, and no others.

import { ALL_OUT_POINTS, TEAMS, keyOf, ordered, otherOf } from "./match.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Key} Key */

/** The same in every profile. */
const BONUS_DEFENDERS_MIN = 6;
const SUPER_TACKLE_DEFENDERS_MAX = 3;
const EMPTY_RAIDS_MAX = 2;
const RAID_MS = 30_000;

/** @param {State} state @param {Record<string, any>} action with its type @param {number} at the server's time @returns {State} */
export function predict(state, action, at) {
  const next = structuredClone(state);
  const time = new Date(at).toISOString();
  const team = action.team ? keyOf(action.team) : null;
  switch (action.type) {
    case "raid":
      // A result that comes after its half begins no half.
      if (["half_time", "overtime_pause"].includes(state.phase) && state.clock.remainingMs !== null) return state;
      if (action.raidNumber !== undefined && action.raidNumber !== state.raidNumber) return state;
      raid(next, action, time);
      break;
    case "start_raid":
      if (next.clock.raid || (action.raidNumber !== undefined && action.raidNumber !== state.raidNumber)) return state;
      plays(next, time);
      next.clock.raid = { raiderId: action.raiderId ?? null, since: time, lengthMs: RAID_MS, pausedAfterMs: null, timeUp: false, cards: [] };
      break;
    case "technical":
      if (team) scores(next, team, 1);
      if (team && action.turnLost) {
        carded(next, next.clock.raid?.cards);
        turns(next, time);
      }
      break;
    case "substitute":
      if (team) {
        next[`${team}PlayerIds`] = swapped(next[`${team}PlayerIds`], action);
        next.mat[team] = swapped(next.mat[team], action);
      }
      place(next, [action.outId], "bench");
      place(next, [action.inId], "in");
      break;
    case "declare":
      if (team) {
        scores(next, otherOf(team), next.mat[team].length);
        leave(next, team, next.mat[team]);
        cleared(next, team);
      }
      break;
    case "card":
      if (action.card === "green") break;
      // While a raid is on it waits for the end of it.
      if (next.clock.raid) next.clock.raid.cards.push({ playerId: action.playerId, card: action.card });
      else carded(next, [{ playerId: action.playerId, card: action.card }]);
      break;
    case "line_up":
      if (team) {
        place(next, Object.values(next.playerStats).filter((player) => player.team === team).map(({ id }) => id), "bench");
        place(next, action.playerIds, "in");
        next.mat[team] = action.playerIds;
      }
      ready(next);
      break;
    case "toss":
      next.tossWinner = keyOf(action.winner);
      next.firstRaidingTeam = action.decision === "raid" ? next.tossWinner : otherOf(next.tossWinner);
      ready(next);
      break;
    case "start_half":
      half(next);
      run(next, time);
      break;
    case "end_half":
      halt(next, at);
      next.phase = { first_half: "half_time", second_half: "full_time" }[String(next.phase)] ?? next.phase;
      break;
    case "time_out":
      halt(next, at);
      next.timeOut = { team, since: time, endsAt: time };
      break;
    case "end_time_out":
      next.timeOut = null;
      break;
    case "start_clock":
      next.timeOut = null;
      run(next, time);
      break;
    case "stop_clock":
      halt(next, at);
      break;
    case "set_clock":
      next.clock.remainingMs = action.remainingMs;
      next.clock.since = next.clock.running ? time : null;
      break;
  }
  looks(next);
  return next;
}

/** @param {State} state @param {Record<string, any>} action @param {string} time */
function raid(state, action, time) {
  const raiding = /** @type {Key} */ (state.raidingTeam);
  const defence = otherOf(raiding);
  const [touched, tacklers, selfOuts] = [action.touchedIds ?? [], action.tacklerIds ?? [], action.selfOutIds ?? []];
  const caught = tacklers.length > 0;
  const wasOn = state.clock.raid !== null;
  if (!wasOn) plays(state, time);
  if (state.phase === "tie_raids" || state.phase === "golden_raid") {
    const side = state[raiding];
    side.tiePoints += (caught || action.raiderOut ? 0 : touched.length) + Number(Boolean(action.bonus)) + selfOuts.length;
    if (caught || action.raiderOut) state[defence].tiePoints += 1;
    side.tieRaids += 1;
    carded(state, state.clock.raid?.cards);
    return turns(state, time);
  }
  const defenders = state.mat[defence].length;
  const gained = touched.length + Number(Boolean(action.bonus)) + selfOuts.length;
  const empty = gained === 0 && !caught && !action.raiderOut;
  const failed = empty && state.emptyRaidCounts[raiding] >= EMPTY_RAIDS_MAX;
  const before = { teamA: state.mat.teamA.length, teamB: state.mat.teamB.length };
  scores(state, raiding, gained);
  if (caught) scores(state, defence, defenders <= SUPER_TACKLE_DEFENDERS_MAX ? 2 : 1);
  else if (action.raiderOut || failed) scores(state, defence, 1);
  back(state, raiding, touched.length + selfOuts.length);
  back(state, defence, caught || failed || action.raiderOut ? 1 : 0);
  leave(state, defence, [...touched, ...selfOuts]);
  if (caught || failed || action.raiderOut) leave(state, raiding, [action.raiderId]);
  carded(state, state.clock.raid?.cards);
  for (const key of TEAMS) if (before[key] > 0) cleared(state, key);
  state.emptyRaidCounts[raiding] = empty && !failed ? state.emptyRaidCounts[raiding] + 1 : 0;
  turns(state, time);
}

/** @param {State} state @param {Key} key @param {number} points */
function scores(state, key, points) {
  state[key].score += points;
}

/** @param {State} state @param {string[]} ids @param {string} status */
function place(state, ids, status) {
  for (const id of ids) if (state.playerStats[id]) state.playerStats[id].status = status;
}

/** @param {State} state @param {Key} key @param {string[]} ids */
function leave(state, key, ids) {
  place(state, ids, "out");
  state.mat[key] = state.mat[key].filter((/** @type {string} */ id) => !ids.includes(id));
  state.revival[key] = [...state.revival[key], ...ids];
}

/** @param {string[]} ids @param {Record<string, any>} action */
function swapped(ids, { outId, inId }) {
  const stay = ids.filter((id) => id !== outId);
  return ordered(stay, [...stay, inId]);
}

/** First out, first in. @param {State} state @param {Key} key @param {number} many */
function back(state, key, many) {
  const ids = state.revival[key].splice(0, many);
  place(state, ids, "in");
  const order = state[`${key}PlayerIds`] ?? [];
  state.mat[key] = [...state.mat[key], ...ids].sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

/** @param {State} state @param {Key} key */
function cleared(state, key) {
  if (state.mat[key].length > 0) return;
  scores(state, otherOf(key), ALL_OUT_POINTS);
  back(state, key, state.revival[key].length);
}

/** @param {State} state @param {{playerId: string, card: string}[]} [cards] */
function carded(state, cards = []) {
  for (const { playerId, card } of cards) removed(state, playerId, card === "red" ? "expelled" : "suspended");
}

/** @param {State} state @param {string} id @param {string} status */
function removed(state, id, status) {
  place(state, [id], status);
  for (const key of TEAMS) {
    state.mat[key] = state.mat[key].filter((/** @type {string} */ other) => other !== id);
    state.revival[key] = state.revival[key].filter((/** @type {string} */ other) => other !== id);
  }
}

/** @param {State} state */
function ready(state) {
  if (!state.tossWinner || TEAMS.some((key) => state.mat[key].length === 0)) return;
  state.phase = "ready";
  state.raidingTeam = state.firstRaidingTeam;
}

/** @param {State} state */
function half(state) {
  const first = /** @type {Key} */ (state.firstRaidingTeam);
  if (state.phase === "ready") [state.phase, state.raidingTeam] = ["first_half", first];
  else if (state.phase === "half_time") [state.phase, state.raidingTeam] = ["second_half", otherOf(first)];
  else if (state.phase === "overtime_pause") [state.phase, state.raidingTeam] = ["overtime_second_half", otherOf(first)];
}

/** A raid begins a half that nobody has begun, and the clock. @param {State} state @param {string} time */
function plays(state, time) {
  half(state);
  state.timeOut = null;
  run(state, time);
}

/** @param {State} state @param {string} time */
function run(state, time) {
  if (state.clock.running) return;
  state.clock.running = true;
  state.clock.since = time;
  if (state.clock.raid?.pausedAfterMs) {
    state.clock.raid.since = new Date(Date.parse(time) - state.clock.raid.pausedAfterMs).toISOString();
    state.clock.raid.pausedAfterMs = null;
  }
}

/** @param {State} state @param {number} at */
function halt(state, at) {
  const { clock } = state;
  if (!clock.running) return;
  if (clock.remainingMs !== null && clock.since) clock.remainingMs = Math.max(0, clock.remainingMs - (at - Date.parse(clock.since)));
  if (clock.raid && clock.raid.pausedAfterMs === null) clock.raid.pausedAfterMs = at - Date.parse(clock.raid.since);
  [clock.running, clock.since, clock.nextRaidBy] = [false, null, null];
}

/** @param {State} state @param {string} time */
function turns(state, time) {
  state.clock.raid = null;
  state.clock.nextRaidBy = state.clock.running ? new Date(Date.parse(time) + 5000).toISOString() : null;
  state.raidNumber += 1;
  state.raidingTeam = otherOf(state.raidingTeam);
}

/** What to look out for in the raid to come. @param {State} state */
function looks(state) {
  const raiding = /** @type {Key | null} */ (state.raidingTeam);
  for (const key of TEAMS) state[key].onMat = state.mat[key].length;
  if (!raiding) return;
  const defenders = state.mat[otherOf(raiding)].length;
  state.doOrDie = state.emptyRaidCounts[raiding] >= EMPTY_RAIDS_MAX;
  state.bonusOpen = defenders >= BONUS_DEFENDERS_MIN;
  state.superTackleOpen = defenders <= SUPER_TACKLE_DEFENDERS_MAX;
}
