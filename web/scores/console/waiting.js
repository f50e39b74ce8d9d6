// What a scorer has said and the match has not taken: how many wait, and of each that met something else, what was meant, what stands,
// and what may become of it.

import { button, make } from "../../elements.js";
import { nameOf, ofAction, ofLine } from "../words.js";

/** @typedef {import("../match.js").State} State */
/** @typedef {import("../queue.js").Item} Item */
/** @typedef {import("../queue.js").Queue} Queue */

/**
 * @param {State} state
 * @param {Queue} queue
 * @param {{drop: (item: Item) => void, anew: (item: Item) => void, correct: (item: Item) => void}} does
 * @returns {HTMLElement[]}
 */
export function stuck(state, queue, does) {
  const [item] = queue.stuck;
  if (!item) return [];
  const behind = queue.open.length;
  const waits = behind > 0 ? make("p", { class: "hint" }, `${behind === 1 ? "One more waits" : `${behind} more wait`} behind it.`) : null;
  const meant = ofAction(state, { ...item.payload, type: item.word });
  const { raidNumber, raiderId } = item.payload;
  const canBeNext = raidNumber !== undefined && state.raidingTeam && state.mat[state.raidingTeam].includes(raiderId);
  const anew = () => canBeNext && button(`It was raid ${state.raidNumber}: score it now`, () => does.anew(item), { class: "quiet", id: "anew", title: `${nameOf(state, raiderId)} raids now` });
  if (item.state === "refused") {
    return [make("section", { class: "card stuck", id: "refused", "aria-labelledby": "stuck-title" },
      make("h2", { id: "stuck-title" }, "This was not taken"), make("p", {}, make("b", {}, meant), " ", item.why), waits,
      make("div", { class: "row" }, button("Drop it", () => does.drop(item), { id: "drop" }), raidNumber > state.raidNumber && anew()))];
  }
  const stands = item.stands ? ofLine(state, /** @type {any} */ (item.stands)) : "Another action.";
  return [make("section", { class: "card stuck", id: "conflict", "aria-labelledby": "stuck-title" },
    make("h2", { id: "stuck-title" }, `Raid ${raidNumber} was scored by somebody else, too`),
    make("dl", { class: "versus" }, make("div", {}, make("dt", {}, "You meant"), make("dd", {}, meant)), make("div", {}, make("dt", {}, "What stands"), make("dd", {}, stands))), waits,
    make("div", { class: "row" },
      button("Drop mine", () => does.drop(item), { id: "drop" }),
      item.stands && button(`Keep mine: correct raid ${raidNumber}`, () => does.correct(item), { class: "quiet", id: "keep" }),
      anew()))];
}

/** What waits, one by one. @param {State} state @param {Queue} queue @param {(item: Item) => void} drop */
export function list(state, queue, drop) {
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { id: "waits-dialog", "aria-labelledby": "waits-title" }));
  const rows = queue.items.map((item) => {
    const row = make("li", { class: "happened other" }, make("span", { class: "when" }, item.payload.raidNumber ? `Raid ${item.payload.raidNumber}` : ""),
      make("span", { class: "what" }, ofAction(state, { ...item.payload, type: item.word }), make("span", { class: "hint block" }, { waiting: "waits", sending: "on its way", conflict: "somebody else scored this raid", refused: item.why ?? "not taken" }[item.state])),
      item.state === "sending" ? "" : button("Drop", () => (row.remove(), drop(item)), { class: "quiet" }));
    return row;
  });
  dialog.append(make("h2", { id: "waits-title" }, "Waiting to be sent"), make("p", { class: "hint" }, "They are kept in this window, in this order, and sent once the connection is back. A reload keeps them."),
    make("ol", { class: "happenings" }, ...rows), make("div", { class: "row end" }, button("Close", () => dialog.close())));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
