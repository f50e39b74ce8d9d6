// The board: who plays, the score, the phase, the clocks that run, and what to look out for in the raid to come.

import { make, tell } from "../elements.js";
import { halfLeft, minutes, nextRaidLeft, raidLeft, seconds, timeOutLeft } from "./clock.js";
import { TEAMS } from "./match.js";
import { isHalf, mayRaid, ofPhase, ofResult } from "./words.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Key} Key */

/** Below this a raid's clock wants to be seen. */
const URGENT_MS = 10_000;

/** @param {State} state */
export function flags(state) {
  const raiding = state.raidingTeam && mayRaid(state.phase);
  const list = /** @type {[string, string, string][]} */ ([]);
  if (state.timeOut) list.push(["time-out", state.timeOut.team ? `Time-out ${state[state.timeOut.team].name}` : "Officials' time-out", ""]);
  if (state.review) list.push(["review", `Review, ${state[state.review.team].name}`, "a raid is looked at again"]);
  if (!raiding || state.phase === "tie_raids" || state.phase === "golden_raid") return list;
  if (state.doOrDie) list.push(["do-or-die", "Do or die", "without a point the raider is out"]);
  if (state.superTackleOpen) list.push(["super-tackle", "Super tackle", "a catch is worth two"]);
  if (state.bonusOpen) list.push(["bonus", "Bonus open", "six or more defend"]);
  return list;
}

/** @param {State} state */
export function flagChips(state) {
  return flags(state).map(([kind, words, why]) => make("li", { class: `flag ${kind}`, title: why }, words));
}

/** Whose raid is next, or how it ended. @param {State} state */
export function turn(state) {
  if (state.result) return ofResult(state);
  if (!state.raidingTeam || !mayRaid(state.phase)) return "";
  const on = state.clock?.raid;
  const raider = on?.raiderId && state.playerStats[on.raiderId]?.name;
  return `Raid ${state.raidNumber}: ${raider ?? state[state.raidingTeam].name}${raider ? ` for ${state[state.raidingTeam].name}` : ""}`;
}

export class Board {
  constructor() {
    this.heard = make("p", { class: "out", role: "status", "aria-live": "polite", id: "score-heard" });
    const side = (/** @type {Key} */ key) => {
      const name = make("span", { class: "side-name" });
      const more = make("span", { class: "side-more" });
      const score = make("b", { class: "score", "data-score": key, "aria-hidden": "true" }, "0");
      return { name, more, score, element: make("div", { class: `side ${key}` }, make("div", { class: "side-words" }, name, more), score) };
    };
    this.sides = { teamA: side("teamA"), teamB: side("teamB") };
    this.phase = make("span", { class: "phase", id: "phase" });
    this.clock = make("b", { class: "half-clock", id: "half-clock", hidden: true });
    this.raid = make("b", { class: "raid-clock", id: "raid-clock", hidden: true });
    this.turn = make("span", { class: "turn", id: "turn" });
    this.flags = make("ul", { class: "flags", id: "flags", "aria-label": "Look out" });
    const middle = make("div", { class: "middle" }, this.phase, make("span", { class: "clocks" }, this.clock, this.raid));
    this.element = make("section", { class: "card board", "aria-label": "Score" },
      this.sides.teamA.element, middle, this.sides.teamB.element,
      make("div", { class: "board-foot" }, this.turn, this.flags), this.heard);
    /** @type {State | null} */
    this.state = null;
  }

  /** @param {State} state */
  show(state) {
    this.state = state;
    for (const key of TEAMS) {
      const { name, more, score, element } = this.sides[key];
      const side = state[key];
      tell(name, side.name);
      const tie = side.tiePoints > 0 || side.tieRaids > 0 ? ` · tie-break ${side.tiePoints}` : "";
      tell(more, `${side.onMat} on the mat${tie}`);
      if (score.textContent !== String(side.score)) {
        score.textContent = String(side.score);
        score.classList.remove("beat");
        // A change of style is seen only if it was laid out between.
        void score.offsetWidth;
        score.classList.add("beat");
      }
      element.dataset.raiding = String(state.raidingTeam === key && mayRaid(state.phase));
    }
    tell(this.phase, ofPhase(state.phase));
    tell(this.turn, turn(state));
    this.flags.replaceChildren(...flagChips(state));
    this.flags.hidden = this.flags.childElementCount === 0;
    const { teamA, teamB } = state;
    const words = `${teamA.name} ${teamA.score}, ${teamB.name} ${teamB.score}. ${ofPhase(state.phase)}.${state.result ? ` ${ofResult(state)}.` : ""}`;
    if (this.heard.textContent !== words) this.heard.textContent = words;
  }

  /** The clocks, at the server's time. @param {number} at */
  tick(at) {
    const { state } = this;
    if (!state) return;
    const half = halfLeft(state.clock, at);
    tell(this.clock, isHalf(state.phase) && half !== null ? minutes(half) : "");
    this.clock.dataset.running = String(Boolean(state.clock?.running));
    const [raid, out, next] = [raidLeft(state.clock, at), timeOutLeft(state.timeOut, at), nextRaidLeft(state.clock, at)];
    const shown = raid !== null ? seconds(raid) : out !== null ? minutes(out) : "";
    tell(this.raid, shown);
    this.raid.dataset.urgent = String(raid !== null && raid <= URGENT_MS);
    this.raid.title = raid !== null ? "Left of the raid" : out !== null ? "Left of the time-out" : "";
    this.turn.dataset.late = String(next === 0);
  }
}
