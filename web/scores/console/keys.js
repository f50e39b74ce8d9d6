// The keys of the console, and the dialog that says which they are.

import { button, make } from "../../elements.js";
import { RAIDER_KEYS } from "./pad.js";

/** @type {[string, string][]} */
const SHOWN = [
  [`${RAIDER_KEYS[0].toUpperCase()} … ${RAIDER_KEYS.at(-1)?.toUpperCase()}`, "The raider, from left to right"], ["1 … 7", "A defender: once in it, twice stepped out"], ["B", "Bonus"],
  ["S", "Safe: the raider is home (or Enter)"], ["C", "Caught"], ["O", "Raider out, and then how"], ["G", "Go: the raid's clock (or the space bar)"], ["Z", "Undo"], ["H", "Everything that was said"], ["M", "More"], ["?", "These keys"],
];

/** @param {{pad: (key: string) => boolean, undo: () => void, history: () => void, more: () => void}} does @returns {() => void} shows which they are */
export function keys({ pad, undo, history, more }) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.querySelector("dialog[open], [popover]:popover-open")) return;
    const target = event.target instanceof HTMLElement ? event.target : null;
    if (target?.closest("input, textarea, select")) return;
    // On what can be pressed these two press it; everywhere else they are the pad's.
    if ((event.key === "Enter" || event.key === " ") && target?.closest("button, a, summary")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const does = { z: undo, h: history, m: more, "?": help }[key];
    if (does) {
      event.preventDefault();
      return does();
    }
    if (pad(key)) event.preventDefault();
  });
  return help;
}

function help() {
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { id: "keys-dialog", "aria-labelledby": "keys-title" }, make("h2", { id: "keys-title" }, "Keys"),
    make("dl", { class: "keys" }, ...SHOWN.flatMap(([key, words]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, words)]))));
  dialog.append(make("div", { class: "row end" }, button("Close", () => dialog.close())));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
