// Elements, made in one expression. Texts become text nodes and nothing else: names and messages are data.

export const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `onclick` and its like are listeners, true is an attribute without a value,
 *   what is null, undefined or false is left out
 * @param {...Child} children
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false)));
  return made;
}

/** @param {string} words @param {(event: Event) => void} pressed @param {Record<string, unknown>} [attributes] */
export function button(words, pressed, attributes = {}) {
  return /** @type {HTMLButtonElement} */ (make("button", { type: "button", onclick: pressed, ...attributes }, words));
}

/** Says it or hides the place where it would be said. @param {string | HTMLElement} place @param {string} words */
export function tell(place, words) {
  const element = typeof place === "string" ? $(place) : place;
  if (element.textContent !== words) element.textContent = words;
  element.hidden = words === "";
}

const HUES = 6;

/** A person's letter, on a colour that is theirs by their id. @param {{id: string, name: string}} person */
export function face(person, size = "") {
  const made = make("span", { class: `face ${size}`.trim(), "aria-hidden": "true" });
  return colour(made, person);
}

/** @param {HTMLElement} element @param {{id: string, name: string}} person */
export function colour(element, person) {
  let sum = 0;
  for (const letter of person.id) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  element.dataset.hue = String(sum % HUES);
  element.textContent = [...person.name.trim()][0]?.toUpperCase() ?? "?";
  return element;
}

/** "a", "a and b", "a, b and c". @param {string[]} names */
export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** A length of time for people. @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.ceil(seconds / 60)} min`;
  return `${Math.ceil(seconds / 3600)} h`;
}
