// The pad on which a raid is scored: its clock, who raids, whom it met, and how it ended. Made for thumbs and for keys; what it says
// goes to whoever made it.

import { make, tell } from "../../elements.js";
import { raidLeft, seconds } from "../clock.js";
import { otherOf } from "../match.js";
import { shirtOf } from "../mat.js";
import { nameOf, WAYS_OUT } from "../words.js";
import { Pick } from "./pick.js";

/** @typedef {import("../match.js").State} State */
/** @typedef {import("../match.js").Key} Key */
/** @typedef {import("./pick.js").Outcome} Outcome */

export const RAIDER_KEYS = ["q", "w", "e", "r", "t", "y", "u"];
const URGENT_MS = 10_000;

export class Pad {
  /** @param {{raid: (payload: Record<string, any>) => void, start: (raiderId: string | null) => void, ways: (beside: HTMLElement, ways: [string, string][], chosen: (way: string) => void) => void}} does */
  constructor(does) {
    this.does = does;
    this.pick = new Pick();
    /** @type {State | null} */
    this.state = null;
    this.clockWords = make("span", { class: "go-words" });
    this.clockFigure = make("b", { class: "go-figure" });
    this.go = make("button", { type: "button", class: "go", id: "go", onclick: () => this.start() }, this.clockFigure, this.clockWords, make("kbd", { "aria-hidden": "true" }, "G"));
    this.raiders = make("div", { class: "picks raiders", id: "raiders", role: "group" });
    this.defenders = make("div", { class: "picks defenders", id: "defenders", role: "group" });
    this.raidersTitle = make("h2", { class: "overline" });
    this.defendersTitle = make("h2", { class: "overline" });
    this.hint = make("p", { class: "hint pad-hint", id: "pad-hint" });
    const outcome = (/** @type {Outcome} */ kind, /** @type {string} */ key) => {
      const words = make("span", {});
      const gain = make("span", { class: "gain" });
      const made = make("button", { type: "button", class: `outcome by-${kind}`, id: kind, onclick: (/** @type {Event} */ event) => this.end(kind, /** @type {HTMLElement} */ (event.currentTarget)) }, words, gain, make("kbd", { "aria-hidden": "true" }, key));
      return { made: /** @type {HTMLButtonElement} */ (made), words, gain };
    };
    this.bonus = /** @type {HTMLButtonElement} */ (make("button", { type: "button", class: "outcome by-bonus", id: "bonus", "aria-pressed": "false", onclick: () => this.toggleBonus() }, "Bonus", make("span", { class: "gain" }, "+1"), make("kbd", { "aria-hidden": "true" }, "B")));
    this.outcomes = { home: outcome("home", "S"), caught: outcome("caught", "C"), out: outcome("out", "O") };
    this.element = make("section", { class: "pad", id: "pad", "aria-label": "The raid" }, this.go,
      make("div", { class: "pick-side" }, this.raidersTitle, this.raiders), make("div", { class: "pick-side" }, this.defendersTitle, this.defenders),
      make("div", { class: "outcomes", role: "group", "aria-label": "How it ends" }, this.bonus, this.outcomes.home.made, this.outcomes.caught.made, this.outcomes.out.made), this.hint);
  }

  /** @param {State} state */
  show(state) {
    this.state = state;
    const raiding = /** @type {Key} */ (state.raidingTeam);
    const defence = otherOf(raiding);
    this.pick.fit(state);
    const { pick } = this;
    this.element.dataset.raiding = raiding;
    tell(this.raidersTitle, `${state[raiding].name} raid: who?`);
    tell(this.defendersTitle, `${state[defence].name} defend: ${state.mat[defence].length}`);
    this.raiders.setAttribute("aria-label", `Raider of ${state[raiding].name}`);
    this.defenders.setAttribute("aria-label", `Defenders of ${state[defence].name}: once for touched or tackling, twice for stepped out`);
    const named = state.phase === "tie_raids";
    this.#buttons(this.raiders, state.mat[raiding], raiding, (id, button, index) => {
      button.setAttribute("aria-pressed", String(pick.raider === id));
      button.disabled = named && pick.raider !== id;
      this.#key(button, RAIDER_KEYS[index]);
    }, (id) => {
      pick.raider = pick.raider === id ? null : id;
      this.#again();
    });
    this.#buttons(this.defenders, state.mat[defence], defence, (id, button, index) => {
      const mark = pick.marks.get(id);
      button.dataset.mark = mark ?? "";
      button.setAttribute("aria-pressed", String(mark !== undefined));
      const first = pick.of("tap")[0] === id && pick.of("tap").length > 1;
      tell(/** @type {HTMLElement} */ (button.querySelector(".state")), mark === "self" ? "stepped out" : mark === "tap" ? (first ? "first" : "in it") : "");
      this.#key(button, String(index + 1));
    }, (id) => {
      pick.tap(id);
      this.#again();
    });
    this.#outcomes(state);
  }

  /** @param {number} at the server's time */
  tick(at) {
    const { state } = this;
    if (!state) return;
    const left = raidLeft(state.clock, at);
    const on = left !== null;
    tell(this.clockFigure, on ? seconds(left) : "30");
    tell(this.clockWords, on ? (left === 0 ? "Time is up: say how it ended" : state.clock.raid?.pausedAfterMs !== null ? "The clock stands" : "The raid is on") : "Start the raid");
    this.go.dataset.on = String(on);
    this.go.dataset.urgent = String(on && left <= URGENT_MS);
    if (/** @type {HTMLButtonElement} */ (this.go).disabled !== on) /** @type {HTMLButtonElement} */ (this.go).disabled = on;
  }

  /** The same players keep their buttons, and with them the focus.
   * @param {HTMLElement} host @param {string[]} ids @param {Key} key @param {(id: string, button: HTMLButtonElement, index: number) => void} dress @param {(id: string) => void} pressed */
  #buttons(host, ids, key, dress, pressed) {
    const state = /** @type {State} */ (this.state);
    const shown = ids.map((id) => `${key} ${id}`).join();
    if (host.dataset.shown !== shown) {
      host.dataset.shown = shown;
      host.replaceChildren(...ids.map((id) => make("button", { type: "button", class: `pick ${key}`, "data-player": id, onclick: () => pressed(id) },
        make("b", { class: "no" }, shirtOf(state.playerStats[id])), make("span", { class: "nm" }, nameOf(state, id)), make("span", { class: "state", hidden: true }), make("kbd", { "aria-hidden": "true" }))));
    }
    ids.forEach((id, index) => dress(id, /** @type {HTMLButtonElement} */ (host.children[index]), index));
  }

  /** @param {HTMLElement} button @param {string | undefined} key */
  #key(button, key) {
    tell(/** @type {HTMLElement} */ (button.querySelector("kbd")), (key ?? "").toUpperCase());
  }

  /** @param {State} state */
  #outcomes(state) {
    const { pick, outcomes } = this;
    const [taps, selfs] = [pick.of("tap"), pick.of("self")];
    const tie = state.phase === "tie_raids" || state.phase === "golden_raid";
    this.bonus.disabled = !state.bonusOpen && !tie;
    this.bonus.setAttribute("aria-pressed", String(pick.bonus));
    this.bonus.title = this.bonus.disabled ? "A bonus needs six defenders on the mat" : "The bonus line was crossed";
    const names = (/** @type {string[]} */ ids) => (ids.length === 1 ? nameOf(state, ids[0]) : `${ids.length}`);
    const nothing = taps.length + selfs.length === 0 && !pick.bonus;
    const failed = nothing && state.doOrDie && !tie;
    tell(outcomes.home.words, failed ? "Empty: raider out" : nothing ? "Home, empty" : taps.length > 0 ? `Home, ${names(taps)} touched` : "Home");
    tell(outcomes.caught.words, taps.length > 0 ? `Caught by ${names(taps)}` : "Caught");
    tell(outcomes.out.words, "Raider out…");
    for (const kind of /** @type {Outcome[]} */ (["home", "caught", "out"])) {
      const worth = pick.worth(state, kind);
      outcomes[kind].made.disabled = worth === null;
      const gains = worth ? [worth.ours > 0 && `+${worth.ours}`, worth.theirs > 0 && `+${worth.theirs} to them`].filter((it) => it).join(", ") : "";
      tell(outcomes[kind].gain, gains);
      outcomes[kind].gain.hidden = gains === "";
    }
    const hint = !pick.raider ? "First: who raids?"
      : taps.length === 0 ? "Tap whom the raider touched, or who caught the raider. Twice: stepped out alone."
      : "Say how it ended.";
    tell(this.hint, hint);
  }

  #again() {
    if (this.state) this.show(this.state);
  }

  toggleBonus() {
    if (this.bonus.disabled) return;
    this.pick.bonus = !this.pick.bonus;
    this.#again();
  }

  start() {
    if (this.state && !this.state.clock?.raid) this.does.start(this.pick.raider);
  }

  /** @param {Outcome} outcome @param {HTMLElement} beside */
  end(outcome, beside) {
    const payload = this.pick.action(outcome);
    if (!payload) return;
    const said = (/** @type {Record<string, any>} */ of) => {
      this.pick.clear();
      this.does.raid(of);
    };
    if (outcome !== "out") return said(payload);
    this.does.ways(beside, WAYS_OUT, (way) => {
      const now = this.pick.action("out", way);
      if (now) said(now);
    });
  }

  /** @param {string} key @returns {boolean} whether it meant something here */
  press(key) {
    const raider = RAIDER_KEYS.indexOf(key);
    const defender = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
    const button = raider >= 0 ? this.raiders.children[raider] : defender >= 0 ? this.defenders.children[defender]
      : key === "b" ? this.bonus : key === "c" ? this.outcomes.caught.made : key === "o" ? this.outcomes.out.made : key === "g" || key === " " ? this.go : key === "s" || key === "Enter" ? this.outcomes.home.made : null;
    if (!button || /** @type {HTMLButtonElement} */ (button).disabled) return Boolean(button);
    /** @type {HTMLButtonElement} */ (button).click();
    return true;
  }
}
