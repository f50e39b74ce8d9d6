// What lies above a page for a moment: a line that passes, a question, a menu. Each page that uses them has the elements
// `toasts`, `ask-dialog` and `menu`.

import { $, button, make, tell } from "./elements.js";

/** As many lines as one can read before they go. */
const TOASTS_MAX = 3;
const TOAST_MS = 7_000;

/** @param {string} words */
export function toast(words) {
  const line = make("div", { class: "toast" }, make("p", {}, words));
  const timer = setTimeout(() => line.remove(), TOAST_MS);
  line.append(button("✕", () => (clearTimeout(timer), line.remove()), { class: "bare", "aria-label": "Dismiss" }));
  $("toasts").append(line);
  while ($("toasts").childElementCount > TOASTS_MAX) $("toasts").firstElementChild?.remove();
}

/** Opens a dialog, with the focus where it belongs, and wires what cancels it. @param {string} id */
export function open(id) {
  const dialog = /** @type {HTMLDialogElement} */ ($(id));
  for (const cancel of dialog.querySelectorAll("[data-cancel]")) {
    /** @type {HTMLElement} */ (cancel).onclick = () => dialog.close("");
  }
  dialog.returnValue = "";
  dialog.showModal();
  return dialog;
}

/**
 * A question before something that cannot be taken back. Null: no. Otherwise what was written, "" if nothing was to be.
 * @param {{title: string, words: string, does: string, field?: string}} asked
 * @returns {Promise<string | null>}
 */
export function ask({ title, words, does, field }) {
  tell("ask-title", title);
  tell("ask-words", words);
  tell("ask-do", does);
  tell("ask-label", field ?? "");
  $("ask-field").hidden = field === undefined;
  const input = /** @type {HTMLInputElement} */ ($("ask-input"));
  input.value = "";
  const dialog = open("ask-dialog");
  /** @type {HTMLElement} */ (field === undefined ? $("ask-do") : input).focus();
  return new Promise((resolve) => {
    let answer = /** @type {string | null} */ (null);
    /** @type {HTMLFormElement} */ ($("ask-form")).onsubmit = () => {
      answer = input.value.trim();
    };
    dialog.onclose = () => resolve(answer);
  });
}

/** @typedef {{words: string, does: () => void, grave?: boolean}} Item */

/** A menu beside what was pressed. @param {HTMLElement} beside @param {Item[]} items */
export function menu(beside, items, className = "") {
  const box = $("menu");
  box.className = `menu ${className}`.trim();
  box.replaceChildren(
    ...items.map(({ words, does, grave }) =>
      button(words, () => (box.hidePopover(), does()), { class: grave ? "entry grave" : "entry", role: "menuitem", tabindex: "-1" }),
    ),
  );
  box.showPopover();
  const { left, right, top, bottom } = beside.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const x = left + width + 8 > innerWidth ? right - width : left;
  const y = bottom + height + 8 > innerHeight ? top - height - 4 : bottom + 4;
  box.style.left = `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`;
  box.style.top = `${Math.max(8, Math.min(y, innerHeight - height - 8))}px`;
  const entries = /** @type {HTMLElement[]} */ ([...box.children]);
  entries[0]?.focus();
  const forward = className === "across" ? ["ArrowDown", "ArrowRight"] : ["ArrowDown"];
  const back = className === "across" ? ["ArrowUp", "ArrowLeft"] : ["ArrowUp"];
  box.onkeydown = (event) => {
    const at = entries.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = forward.includes(event.key) ? at + 1 : back.includes(event.key) ? at - 1
      : event.key === "Home" ? 0 : event.key === "End" ? entries.length - 1 : null;
    if (event.key === "Tab") box.hidePopover();
    if (to === null) return;
    event.preventDefault();
    entries.at(to % entries.length)?.focus();
  };
  box.ontoggle = (event) => {
    const { newState } = /** @type {ToggleEvent} */ (event);
    if (newState === "closed" && (document.activeElement === document.body || box.contains(document.activeElement))) beside.focus();
  };
}
