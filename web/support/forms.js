// A dialog made of a few fields, and its answer.

import { button, make } from "../elements.js";

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {"text" | "email" | "tel" | "long" | "select"} [kind]
 * @property {string} [value]
 * @property {string} [hint]
 * @property {number} [max]
 * @property {boolean} [required]
 * @property {{value: string, words: string, group?: string}[]} [options] of a select
 */

/** Null: cancelled. @param {{title: string, words?: string, fields: Field[], does: string, grave?: boolean}} asked @returns {Promise<Record<string, string> | null>} */
export function form({ title, words, fields, does, grave }) {
  const rows = fields.map((field) => make("div", { class: "field" },
    make("label", { for: `form-${field.name}` }, field.label), control(field), field.hint && make("p", { class: "hint" }, field.hint)));
  const body = /** @type {HTMLFormElement} */ (make("form", { method: "dialog" },
    make("h2", { id: "form-title" }, title), words && make("p", { class: "hint" }, words), ...rows,
    make("div", { class: "row end" }, button("Cancel", () => dialog.close(), { class: "quiet" }),
      make("button", { type: "submit", class: grave && "grave", id: "form-do" }, does))));
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { "aria-labelledby": "form-title", id: "form-dialog" }, body));
  let answer = /** @type {Record<string, string> | null} */ (null);
  body.addEventListener("submit", () => {
    answer = Object.fromEntries([...new FormData(body)].map(([name, value]) => [name, String(value).trim()]));
  });
  document.body.append(dialog);
  dialog.showModal();
  /** @type {HTMLElement | null} */ (dialog.querySelector("select, input, textarea"))?.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => (dialog.remove(), resolve(answer)));
  });
}

/** @param {Field} field */
function control({ name, kind = "text", value = "", max, required, options = [] }) {
  const more = { id: `form-${name}`, name, required, maxlength: kind === "select" ? undefined : max };
  if (kind === "long") return make("textarea", { ...more, rows: "3" }, value);
  if (kind !== "select") return make("input", { ...more, type: kind, value, autocomplete: "off" });
  const select = make("select", more);
  const groups = new Map();
  for (const { value: of, words, group } of options) {
    const option = make("option", { value: of, selected: of === value }, words);
    if (group && !groups.has(group)) {
      groups.set(group, make("optgroup", { label: group }));
      select.append(groups.get(group));
    }
    (group ? groups.get(group) : select).append(option);
  }
  return select;
}
