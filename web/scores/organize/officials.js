// Who may score a match, by name and office. Nobody named: every scorer may.

import { button, make, tell } from "../../elements.js";

/** @typedef {import("../follow.js").Follow} Follow */

const OFFICES = /** @type {[string, string][]} */ ([["scorer", "Scorer: everything"], ["timekeeper", "Timekeeper: the clock"], ["umpire", "Umpire: reviews, cards, technical points"]]);
/** As many as a match takes. */
const OFFICIALS_MAX = 30;

/** @param {Follow} follow @param {(payload: {officials: {userId: string, role: string}[]}) => Promise<void>} set */
export function officials(follow, set) {
  /** Rooms of matches tell nobody who comes and goes: who is here is asked for. @type {{id: string, name: string}[]} */
  let people = [];
  const look = async () => {
    people = await follow.room.online().then(({ users }) => users, () => people);
    show();
  };
  const list = make("ul", { class: "links", id: "officials-list" });
  const here = make("datalist", { id: "here" });
  const user = /** @type {HTMLInputElement} */ (make("input", { id: "official-id", list: "here", maxlength: 128, autocomplete: "off", spellcheck: "false", required: true, placeholder: "Id of a user", onfocus: () => void look() }));
  const office = /** @type {HTMLSelectElement} */ (make("select", { id: "official-role", "aria-label": "Office" }, ...OFFICES.map(([value, words]) => make("option", { value }, words))));
  const hint = make("p", { class: "hint", id: "officials-hint" });
  const element = make("section", { class: "card setup-card", "aria-labelledby": "officials-title" }, make("h2", { id: "officials-title" }, "Officials"), hint, list,
    make("form", { class: "row", id: "officials-form", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const userId = user.value.trim();
      user.value = "";
      if (userId === "" || follow.officials.length >= OFFICIALS_MAX) return;
      void set({ officials: [...follow.officials.filter((one) => one.userId !== userId), { userId, role: office.value }] });
    } }, make("label", { class: "out", for: "official-id" }, "Id of a user"), user, here, office, make("button", { type: "submit", class: "quiet" }, "Name")));
  let drawn = "";
  const nameOf = (/** @type {string} */ id) => people.find((one) => one.id === id)?.name ?? "";
  const show = () => {
    const shown = JSON.stringify([follow.officials, people]);
    if (shown === drawn) return;
    drawn = shown;
    tell(hint, follow.officials.length === 0 ? "Nobody is named, so everybody with a scorer's token may score this match. Name somebody, and only those named may." : "Only these may score it, each in their office; organizers always may.");
    list.replaceChildren(...follow.officials.map(({ userId, role }) => make("li", {}, make("div", {}, make("b", {}, nameOf(userId) || userId), make("span", { class: "hint" }, `${OFFICES.find(([value]) => value === role)?.[1] ?? role}${nameOf(userId) ? ` · ${userId}` : ""}`)),
      button("Take away", () => void set({ officials: follow.officials.filter((one) => one.userId !== userId) }), { class: "quiet", "aria-label": `Take the office away: ${nameOf(userId) || userId}` }))));
    here.replaceChildren(...people.map(({ id, name }) => make("option", { value: id }, `${name}, here now`)));
  };
  return { element, show, look };
}
