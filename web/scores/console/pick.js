// What a scorer has tapped of the raid that is on, and the action that comes of it. Knows no page.

import { letterOf, otherOf } from "../match.js";
import { predict } from "../predict.js";

/** @typedef {import("../match.js").State} State */
/** @typedef {import("../match.js").Key} Key */
/** @typedef {"home" | "caught" | "out"} Outcome */

/** none, in it (touched, or a tackler), stepped out alone, none again. */
const NEXT = /** @type {Record<string, "tap" | "self" | undefined>} */ ({ none: "tap", tap: "self", self: undefined });

export class Pick {
  /** @type {string | null} */
  raider = null;
  /** In the order in which they were tapped: the first tackler has the point. @type {Map<string, "tap" | "self">} */
  marks = new Map();
  bonus = false;

  clear() {
    this.raider = null;
    this.marks.clear();
    this.bonus = false;
  }

  /** Another match, or somebody else's raid: what does not hold any more goes. @param {State} state */
  fit(state) {
    const raiding = /** @type {Key | null} */ (state.raidingTeam);
    if (!raiding) return this.clear();
    if (this.raider && !state.mat[raiding].includes(this.raider)) this.clear();
    for (const id of this.marks.keys()) if (!state.mat[otherOf(raiding)].includes(id)) this.marks.delete(id);
    const tie = state.phase === "tie_raids" || state.phase === "golden_raid";
    if (!state.bonusOpen && !tie) this.bonus = false;
    if (state.phase === "tie_raids") this.raider = state[raiding].tieRaiderIds?.[state[raiding].tieRaids] ?? null;
    else if (!this.raider && state.clock?.raid?.raiderId) this.raider = state.clock.raid.raiderId;
  }

  /** @param {string} id */
  tap(id) {
    const next = NEXT[this.marks.get(id) ?? "none"];
    if (next) this.marks.set(id, next);
    else this.marks.delete(id);
  }

  /** @param {"tap" | "self"} mark */
  of(mark) {
    return [...this.marks].filter(([, is]) => is === mark).map(([id]) => id);
  }

  /** Null: something is missing for it. @param {Outcome} outcome @param {string} [way] of a raider who goes out @returns {Record<string, any> | null} */
  action(outcome, way) {
    const [taps, selfOuts] = [this.of("tap"), this.of("self")];
    if (!this.raider || (outcome === "caught" && taps.length === 0) || (outcome === "out" && taps.length > 0)) return null;
    const payload = /** @type {Record<string, any>} */ ({ raiderId: this.raider });
    if (outcome === "home" && taps.length > 0) payload.touchedIds = taps;
    if (outcome === "caught") payload.tacklerIds = taps;
    if (outcome === "out") payload.raiderOut = way ?? "bounds";
    if (this.bonus) payload.bonus = true;
    if (selfOuts.length > 0) payload.selfOutIds = selfOuts;
    return payload;
  }

  /** What each side would gain. Null: it cannot be. @param {State} state @param {Outcome} outcome */
  worth(state, outcome) {
    const payload = this.action(outcome);
    if (!payload || !state.raidingTeam) return null;
    const next = predict(state, { ...payload, type: "raid" }, 0);
    const gain = (/** @type {Key} */ key) => next[key].score - state[key].score + next[key].tiePoints - state[key].tiePoints;
    return { ours: gain(state.raidingTeam), theirs: gain(otherOf(state.raidingTeam)), letter: letterOf(state.raidingTeam) };
  }
}
