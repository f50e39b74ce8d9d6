// What one writes every day: replies by a word. They stay in this browser. `{name}` becomes the customer's first name.

import { button, make } from "../elements.js";

/** @typedef {{word: string, text: string}} Reply */

const KEPT = "kulkul.replies";
const REPLIES_MAX = 100;
const WORD = /^[\w-]{1,24}$/;
/** The word before the caret that may be a reply's. */
const BEFORE = /(^|\s)\/([\w-]*)$/;

/** @type {Reply[]} */
const FIRST = [
  { word: "hi", text: "Hello {name}, I am here. What can I do for you?" },
  { word: "wait", text: "One moment, {name}, I am looking into it." },
  { word: "bye", text: "Glad that it is settled. Have a good day, {name}!" },
];

export const replies = {
  /** @returns {Reply[]} */
  get all() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEPT) ?? "null");
      return Array.isArray(kept) ? kept : FIRST;
    } catch {
      // Storage may be turned off, or hold something else.
      return FIRST;
    }
  },

  /** @param {Reply[]} all */
  keep(all) {
    try {
      localStorage.setItem(KEPT, JSON.stringify(all.slice(0, REPLIES_MAX)));
    } catch {
      // As above.
    }
  },

  /** Those that what stands before the caret may become. @param {string} before @returns {Reply[]} */
  meant(before) {
    const begun = BEFORE.exec(before)?.[2];
    return begun === undefined ? [] : this.all.filter(({ word }) => word.startsWith(begun));
  },

  /** The text with the reply in place of its word; null: there is no such reply. @param {string} text @param {number} caret @param {string} name */
  expanded(text, caret, name) {
    const before = text.slice(0, caret);
    const [first] = this.meant(before);
    if (!first) return null;
    const put = before.replace(BEFORE, "$1") + filled(first, name);
    return { text: put + text.slice(caret), caret: put.length };
  },
};

/** @param {Reply} reply @param {string} name */
export function filled({ text }, name) {
  const first = name.trim().split(/\s+/)[0];
  return first && first !== "Guest" ? text.replaceAll("{name}", first) : text.replace(/,? ?\{name\}/g, "");
}

/** The list of them, to be changed. */
export function editReplies() {
  const list = make("ul", { class: "list replies" });
  const trouble = make("p", { class: "trouble", role: "alert", hidden: true });
  const row = (/** @type {Reply} */ { word, text }) => {
    const item = make("li", { class: "reply" },
      make("input", { "aria-label": "Word", value: word, maxlength: "24", placeholder: "word", autocomplete: "off", spellcheck: "false", autocapitalize: "none" }),
      make("textarea", { "aria-label": "Text", rows: "2", maxlength: "2000", placeholder: "What it stands for" }, text),
      button("✕", () => item.remove(), { class: "bare", "aria-label": "Remove this reply" }));
    return item;
  };
  const add = () => {
    const item = row({ word: "", text: "" });
    list.append(item);
    item.querySelector("input")?.focus();
  };
  list.append(...replies.all.map(row));
  const form = make("form", { method: "dialog" },
    make("h2", { id: "replies-title" }, "Your replies"),
    make("p", { class: "hint" }, "Write ", make("kbd", {}, "/word"), " in a message and press ", make("kbd", {}, "Tab"), ". ", make("code", {}, "{name}"), " becomes the customer's first name. They stay in this browser."),
    list, trouble,
    make("div", { class: "row end" },
      button("Add a reply", add, { class: "quiet first" }),
      button("Cancel", () => dialog.close(), { class: "quiet" }),
      make("button", { type: "submit" }, "Save")));
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { id: "replies-dialog", "aria-labelledby": "replies-title", class: "wider" }, form));
  form.addEventListener("submit", (event) => {
    const all = [...list.children].map((item) => ({
      word: /** @type {HTMLInputElement} */ (item.querySelector("input")).value.trim().replace(/^\//, ""),
      text: /** @type {HTMLTextAreaElement} */ (item.querySelector("textarea")).value.trim(),
    })).filter(({ word, text }) => word !== "" || text !== "");
    const wrong = all.find(({ word, text }) => !WORD.test(word) || text === "");
    const twice = all.find(({ word }, index) => all.findIndex((other) => other.word === word) !== index);
    const words = wrong ? (wrong.text === "" ? `/${wrong.word} stands for nothing: write its text, or remove it.` : `“${wrong.word}” is no word: letters, digits, _ and -, 24 at most.`)
      : twice ? `/${twice.word} is there twice: rename one of them.` : "";
    trouble.textContent = words;
    trouble.hidden = words === "";
    if (words !== "") return event.preventDefault();
    replies.keep(all);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
