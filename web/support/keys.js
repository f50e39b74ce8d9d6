// Shortcuts: what is pressed, what it does, and the dialog that says so. By the key's place, since Alt writes other letters on some
// keyboards.

import { button, make } from "../elements.js";

/** @typedef {{code: string, shown: string, words: string, does: () => void}} Shortcut */

/** Those of every field. @type {[string, string][]} */
const OF_FIELD = [["Enter", "Send, or add the note"], ["Shift Enter", "A new line"], ["/word Tab", "A reply in its place"], ["↑", "In an empty field: to the messages"]];

/** @param {Shortcut[]} shortcuts each with Alt */
export function listen(shortcuts) {
  addEventListener("keydown", (event) => {
    const isWriting = event.target instanceof HTMLElement && event.target.closest("input:not([type=radio]), textarea, select");
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "?" && !isWriting) {
      event.preventDefault();
      return help(shortcuts);
    }
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    const shortcut = shortcuts.find(({ code }) => code === event.code || (code === "Digit" && /^Digit[1-9]$/.test(event.code)));
    if (!shortcut) return;
    event.preventDefault();
    pressed = event.code;
    shortcut.does();
  });
}

/** The code of the shortcut that is carried out. */
export let pressed = "";

/** @param {Shortcut[]} shortcuts */
export function help(shortcuts) {
  const keys = (/** @type {string} */ shown) => shown.split(" ").map((key) => make("kbd", {}, key));
  const rows = [...shortcuts.map(({ shown, words }) => [`Alt ${shown}`, words]), ...OF_FIELD, ["?", "These shortcuts"]];
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { id: "help-dialog", "aria-labelledby": "help-title" },
    make("h2", { id: "help-title" }, "Shortcuts"),
    make("dl", { class: "shortcuts" }, ...rows.flatMap(([shown, words]) => [make("dt", {}, ...keys(shown)), make("dd", {}, words)])),
    make("div", { class: "row end" }, button("Close", () => dialog.close()))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
