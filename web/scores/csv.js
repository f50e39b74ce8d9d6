// A score sheet as rows, and as a file that spreadsheets open. Knows no page.

import { TEAMS } from "./match.js";
import { minutes } from "./clock.js";
import { nameOf, ofLine } from "./words.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Line} Line */
/** @typedef {{number: number, raid: string, clock: string, at: string, team: string, raider: string, what: string, gained: [number, number], score: [number, number], mark: string, tie: boolean}} Row */

/** Every action that counts towards a score or changed who plays; the clock's own steps are left out. */
const SILENT = new Set(["start_raid", "raid_time", "start_clock", "stop_clock"]);

/** @param {State} state @param {Line[]} lines in order @returns {Row[]} */
export function rows(state, lines) {
  const score = /** @type {[number, number]} */ ([0, 0]);
  return lines.filter((line) => !SILENT.has(line.action?.type ?? "")).map((line) => {
    const counts = !line.undone && line.aside === undefined;
    const gained = /** @type {[number, number]} */ (TEAMS.map((key) => (counts ? (line.gained?.[key] ?? 0) : 0)));
    // What a tie-break brings decides, and is no score.
    const tie = Boolean(line.tieBreak);
    if (!tie) gained.forEach((points, side) => (score[side] += points));
    const isRaid = line.raidNumber !== undefined;
    return {
      number: line.number, raid: isRaid ? String(line.raidNumber) : "", clock: minutes(line.clockMs), at: line.at ?? "",
      team: isRaid ? state[line.raidingTeam === "B" ? "teamB" : "teamA"].name : "", raider: isRaid ? nameOf(state, line.raiderId) : "",
      what: ofLine(state, line), gained, score: [...score], tie, mark: line.undone ? "undone" : line.aside !== undefined ? `set aside: ${line.aside}` : "",
    };
  });
}

/** The points of each side, row by row. @param {Row[]} list @returns {[number, number]} */
export function sums(list) {
  return list.filter(({ tie }) => !tie).reduce((all, { gained }) => [all[0] + gained[0], all[1] + gained[1]], /** @type {[number, number]} */ ([0, 0]));
}

/** A cell; what a spreadsheet would take for a formula is no more than its text. @param {string | number} value */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {State} state @param {Row[]} list */
export function csv(state, list) {
  const head = ["number", "raid", "clock", "time", "raiding team", "raider", "what", `points ${state.teamA.name}`, `points ${state.teamB.name}`, `score ${state.teamA.name}`, `score ${state.teamB.name}`, "tie-break", "mark"];
  const body = list.map((row) => [row.number, row.raid, row.clock, row.at, row.team, row.raider, row.what, ...row.gained, ...row.score, row.tie ? "yes" : "", row.mark]);
  return `${[head, ...body].map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}
