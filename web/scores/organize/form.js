// The form of a match that is to be: who plays, by which rules. What is wrong is said beside what it is about.

import { button, make, tell } from "../../elements.js";
import { newId, teamOf } from "../create.js";
import { READY, squadOf } from "../squads.js";
import { PROFILES } from "../words.js";

/** A name of a match may have these. */
const ID = "[A-Za-z0-9_.:\\-]{1,64}";

/** @param {string} id @param {string} label @param {HTMLElement} control @param {string} [hint] */
export const field = (id, label, control, hint) => make("div", { class: "field" }, make("label", { for: id }, label), control, hint && make("p", { class: "hint" }, hint));

/** A squad as it is typed, and what is said of it meanwhile. @param {"teamA" | "teamB"} key @param {string} title @param {{name: string, text: string}} written */
export function squadFields(key, title, { name, text }) {
  const named = /** @type {HTMLInputElement} */ (make("input", { id: `${key}-name`, maxlength: 60, required: true, value: name, placeholder: "Name of the team", autocomplete: "off" }));
  const area = /** @type {HTMLTextAreaElement} */ (make("textarea", { id: `${key}-players`, rows: "10", spellcheck: "false", placeholder: "7 Asha (c)\n10 Bina (vc)\n…", oninput: () => counted() }, text));
  const said = make("p", { class: "hint", role: "status", id: `${key}-said` });
  const counted = () => {
    const { players, faults } = squadOf(area.value, key === "teamA" ? "a" : "b");
    said.classList.toggle("trouble", faults.length > 0 && area.value.trim() !== "");
    tell(said, faults.length > 0 ? faults.join(" ") : `${players.length} players.`);
  };
  counted();
  return {
    element: make("fieldset", { class: `card setup-card ${key}` }, make("legend", { class: "out" }, title), make("h2", {}, title), field(named.id, "Team", named),
      field(area.id, "Players", area, "One a line, the first seven begin. A number in front is the shirt’s; (c) is the captain, (vc) the vice-captain."), said),
    /** @param {{name: string, text: string}} other */
    fill: (other) => ((named.value = other.name), (area.value = other.text), counted()),
    get written() {
      return { name: named.value, text: area.value };
    },
    get faults() {
      return squadOf(area.value, "a").faults;
    },
    focus: () => area.focus(),
  };
}

/**
 * @param {string | null} id of the match, if its name is given
 * @param {(id: string, about: Record<string, any>) => Promise<void>} create
 */
export function createForm(id, create) {
  const text = (/** @type {string} */ name, /** @type {Record<string, unknown>} */ more = {}) => /** @type {HTMLInputElement} */ (make("input", { id: name, autocomplete: "off", ...more }));
  const title = text("match-title", { maxlength: 100, placeholder: "As the two names, if you leave it" });
  const event = text("match-event", { maxlength: 64, placeholder: "Of a fixture list" });
  const name = text("match-id", { value: id ?? newId(), pattern: ID, required: true, spellcheck: "false" });
  const minutes = text("match-minutes", { type: "number", min: 1, max: 60, placeholder: "20" });
  const profile = /** @type {HTMLSelectElement} */ (make("select", { id: "match-profile" }, ...Object.entries(PROFILES).map(([value, words]) => make("option", { value }, words))));
  const check = (/** @type {string} */ name, /** @type {string} */ words, /** @type {string} */ hint, checked = false) => {
    const input = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox", id: name, checked }));
    return { input, element: make("label", { class: "choice" }, input, make("span", {}, words, make("span", { class: "hint" }, hint))) };
  };
  const knockout = check("match-knockout", "Knock-out", "There must be a winner: level at full time, a tie-break follows.");
  const open = check("match-public", "Public", "Whoever has the link may watch.", true);
  const squads = { teamA: squadFields("teamA", "One side", { name: "", text: "" }), teamB: squadFields("teamB", "The other side", { name: "", text: "" }) };
  const trouble = make("p", { class: "trouble", role: "alert", hidden: true, id: "create-trouble" });
  const submit = /** @type {HTMLButtonElement} */ (make("button", { type: "submit", class: "big", id: "create-do" }, "Create the match"));
  const submitted = async (/** @type {Event} */ event_) => {
    event_.preventDefault();
    for (const squad of Object.values(squads)) {
      if (squad.faults.length === 0) continue;
      tell(trouble, `${squad.written.name || "A squad"}: ${squad.faults.join(" ")}`);
      return squad.focus();
    }
    tell(trouble, "");
    submit.disabled = true;
    try {
      await create(name.value.trim(), {
        teamA: teamOf(squads.teamA.written, "a"), teamB: teamOf(squads.teamB.written, "b"), profile: profile.value, knockout: knockout.input.checked, public: open.input.checked,
        ...(title.value.trim() && { title: title.value.trim() }), ...(event.value.trim() && { event: event.value.trim() }), ...(minutes.value && { halfMinutes: Number(minutes.value) }),
      });
    } catch (error) {
      tell(trouble, /** @type {Error} */ (error).message);
    } finally {
      submit.disabled = false;
    }
  };
  return make("form", { id: "create-form", class: "create", onsubmit: submitted },
    make("div", { class: "create-head" }, make("h1", {}, "A new match"),
      button("Fill in two ready squads", () => (squads.teamA.fill(READY.teamA), squads.teamB.fill(READY.teamB)), { class: "quiet", id: "fill" })),
    make("div", { class: "setup" }, squads.teamA.element, squads.teamB.element),
    make("fieldset", { class: "card setup-card rules" }, make("legend", { class: "out" }, "The match"), make("h2", {}, "The match"), make("div", { class: "rules-fields" },
      field(title.id, "Title", title), field(event.id, "Event", event), field(profile.id, "Rules", profile), field(minutes.id, "Minutes of a half", minutes),
      field(name.id, "Name in the address", name, "Letters, digits and _ . : -")), knockout.element, open.element),
    trouble, submit);
}
