// One message as it is shown. It knows nothing of lists and scrolling.

import { button, face, listed, make } from "../elements.js";
import { ofRefusal } from "./words.js";
import { nameOf } from "./names.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Message} Message */
/** @typedef {import("../../clients/js/src/types.d.ts").Pending} Pending */

/**
 * What a person can do with a message.
 * @typedef {object} Acts
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} edit
 * @property {(message: Message) => void} remove
 * @property {(message: Message, beside: HTMLElement) => void} choose a reaction from a menu
 * @property {(message: Message, reaction: string) => void} react or take it back
 * @property {(pending: Pending) => void} retry
 * @property {(pending: Pending) => void} discard
 * @property {(id: string) => void} goTo
 */

/** So many are named beside a reaction; of more the number is. */
const NAMED_MAX = 3;
const QUOTE_CHARS_MAX = 140;

export const isGone = (/** @type {Message} */ { payload }) => Boolean(payload.changes?.deleted || payload.changes?.erased);

const AT = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "medium" });

/** @param {string} timestamp */
function time(timestamp) {
  const at = new Date(timestamp);
  return make("time", { datetime: timestamp, title: FULL.format(at) }, AT.format(at));
}

/** The beginning of a text, in one line. @param {string} text */
export function beginning(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > QUOTE_CHARS_MAX ? `${line.slice(0, QUOTE_CHARS_MAX - 1)}…` : line;
}

/**
 * @param {Message} message
 * @param {{me: string, canModerate: boolean, quoted: Message | undefined, acts: Acts}} around
 */
export function stored(message, { me, canModerate, quoted, acts }) {
  const { payload, sender } = message;
  const mine = sender?.id === me;
  const gone = isGone(message);
  const body = make("div", { class: "body" }, head(sender, message.timestamp, mine));
  if (payload.reply_to && !gone) body.append(quote(payload.reply_to, quoted, acts));
  if (gone) {
    body.append(make("p", { class: "text gone" }, payload.changes?.erased ? "This message was erased with its author's." : "This message was deleted."));
  } else {
    const text = make("p", { class: "text" }, String(payload.content ?? ""));
    if (payload.changes?.edited_at) {
      text.append(" ", make("small", { class: "edited", title: FULL.format(new Date(payload.changes.edited_at)) }, "(edited)"));
    }
    body.append(text);
    const reactions = payload.changes?.reactions ?? [];
    if (reactions.length > 0) body.append(reactionsOf(message, reactions, me, acts));
  }
  const item = make("li", { class: mine ? "message mine" : "message", tabindex: "-1", "data-id": message.id }, face(sender ?? ROOM, ""), body);
  if (!gone) item.append(tools(message, mine, canModerate, acts));
  return item;
}

const ROOM = { id: "", name: "•" };

/** @param {{id: string, name: string} | undefined} sender @param {string} timestamp @param {boolean} mine */
function head(sender, timestamp, mine) {
  return make("p", { class: "who" }, make("b", {}, sender ? sender.name : "The room"), mine && make("span", { class: "mark" }, "you"), time(timestamp));
}

/** @param {string} id @param {Message | undefined} quoted @param {Acts} acts */
function quote(id, quoted, acts) {
  if (!quoted) return make("p", { class: "quote" }, "In reply to an earlier message");
  const words = isGone(quoted) ? "a message that was deleted" : beginning(String(quoted.payload.content ?? ""));
  return make("button", { type: "button", class: "quote", tabindex: "-1", onclick: () => acts.goTo(id) },
    make("span", { class: "out" }, "In reply to "), make("b", {}, quoted.sender?.name ?? "The room"), " ", words);
}

/** @param {Message} message @param {{reaction: string, users: string[]}[]} reactions @param {string} me @param {Acts} acts */
function reactionsOf(message, reactions, me, acts) {
  const row = make("div", { class: "reactions", role: "group", "aria-label": "Reactions" });
  for (const { reaction, users } of reactions) {
    const names = users.map((id) => (id === me ? "you" : nameOf(id)));
    const who = users.length > NAMED_MAX ? String(users.length) : listed(names);
    row.append(make("button", {
      type: "button", class: "reaction", "aria-pressed": String(users.includes(me)), title: listed(names),
      "aria-label": `${reaction} by ${listed(names)}`, onclick: () => acts.react(message, reaction),
    }, make("span", {}, reaction), make("small", {}, who)));
  }
  return row;
}

/** @param {Message} message @param {boolean} mine @param {boolean} canModerate @param {Acts} acts */
function tools(message, mine, canModerate, acts) {
  const bar = make("div", { class: "tools", role: "toolbar", "aria-label": "What to do with this message" });
  const tool = (/** @type {string} */ sign, /** @type {string} */ words, /** @type {(event: Event) => void} */ does) =>
    bar.append(button(sign, does, { class: "tool", title: words, "aria-label": words }));
  tool("↩", "Reply", () => acts.reply(message));
  tool("☺", "React", (event) => acts.choose(message, /** @type {HTMLElement} */ (event.currentTarget)));
  if (mine) tool("✎", "Edit", () => acts.edit(message));
  if (mine || canModerate) tool("✕", "Delete", () => acts.remove(message));
  return bar;
}

/** A message of one's own that is not stored yet. @param {Pending} pending @param {{id: string, name: string}} me @param {Acts} acts */
export function waiting(pending, me, acts) {
  const state = make("p", { class: "delivery", "data-state": pending.state });
  if (pending.state === "failed") {
    const why = pending.error ? ofRefusal(pending.error) : "The server did not take it.";
    state.append(`Not sent. ${why} `,
      button("Send again", () => acts.retry(pending), { class: "quiet slim" }), " ",
      button("Discard", () => acts.discard(pending), { class: "quiet slim" }));
  } else {
    state.textContent = pending.state === "sending" ? "sending…" : "waits for the connection…";
  }
  const body = make("div", { class: "body" }, head(me, pending.timestamp, true), make("p", { class: "text" }, String(pending.payload.content)), state);
  return make("li", { class: "message mine pending", tabindex: "-1", "data-pending": pending.id }, face(me), body);
}
