// One message as it is shown. It knows nothing of lists and scrolling.

import { button, face, make } from "../../elements.js";
import { clock, moment, ofRefusal } from "./words.js";

/** @typedef {import("../../../clients/js/src/types.d.ts").Message} Message */
/** @typedef {import("../../../clients/js/src/types.d.ts").Pending} Pending */
/** @typedef {{retry: (pending: Pending) => void, discard: (pending: Pending) => void}} Acts */
/** @typedef {{url: string, name: string, size: number}} File */

const LINK = /https:\/\/[^\s<>"'\\]+/g;
/** What ends a sentence is no part of the address in it. */
const TAIL = /[.,;:!?)\]]+$/;
const HEARD_CHARS_MAX = 160;

/** Nobody said it. @param {Message} message */
export const isLine = ({ payload }) => payload.sender_type === "system";

/** Who speaks, whatever the message says of itself. @param {Message} message */
export function author({ payload, sender }) {
  if (payload.sender_type === "ai") return { id: "ai", name: sender?.name ?? "Assistant" };
  return sender ?? { id: String(payload.sender_id ?? ""), name: "Support" };
}

/** In one line, for those who listen. @param {Message} message */
export function spoken(message) {
  const line = String(message.payload.message ?? "").replace(/\s+/g, " ").trim();
  const files = filesOf(message).map(({ name }) => `file ${name}`);
  const words = [line.length > HEARD_CHARS_MAX ? `${line.slice(0, HEARD_CHARS_MAX - 1)}…` : line, ...files].filter((part) => part !== "").join(", ");
  return isLine(message) ? words : `${author(message).name}: ${words}`;
}

/** What may be led to: over an encrypted connection, or on the server's own site. @param {string} url */
function isSafe(url) {
  return !/[\s\\"<>]/.test(url) && (url.startsWith("https://") || (url.startsWith("/") && !url.startsWith("//")));
}

/** @param {Message} message @returns {File[]} */
function filesOf({ payload }) {
  const attached = Array.isArray(payload.attachments) ? payload.attachments : [];
  return attached.map((one) => {
    const { url = "", name = "", size = 0 } = one !== null && typeof one === "object" ? one : { url: String(one) };
    return { url: String(url), name: String(name || String(url).split("/").at(-1) || "file"), size: Number(size) || 0 };
  });
}

/** @param {number} bytes */
function sizeOf(bytes) {
  if (bytes <= 0) return "";
  return bytes < 1 << 20 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / (1 << 20)).toFixed(1)} MB`;
}

/** @param {string} href @param {...import("../../elements.js").Child} children */
const link = (href, ...children) => make("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);

/** A text with its addresses led to. @param {string} text */
function textOf(text) {
  const made = make("p", { class: "text" });
  let at = 0;
  for (const found of text.matchAll(LINK)) {
    const address = found[0].replace(TAIL, "");
    made.append(text.slice(at, found.index), link(address, address));
    at = found.index + address.length;
  }
  made.append(text.slice(at));
  return made;
}

/** @param {File} file */
function fileOf({ url, name, size }) {
  const words = [make("span", { class: "clip", "aria-hidden": "true" }, "📎"), make("span", { class: "file-name" }, name), make("small", {}, sizeOf(size))];
  return isSafe(url) ? link(url, ...words) : make("span", { class: "file", title: "This address is not led to." }, ...words);
}

/** @param {Message} message @param {{mine: boolean, state: string}} around */
export function stored(message, { mine, state }) {
  const text = String(message.payload.message ?? "");
  if (isLine(message)) return make("li", { class: "line", "data-id": message.id }, make("span", {}, text));
  const who = author(message);
  const at = new Date(message.timestamp);
  const bubble = make("div", { class: "bubble" });
  if (!mine) bubble.append(make("p", { class: "who" }, who.name, who.id === "ai" && make("span", { class: "mark" }, " · automatic")));
  else bubble.append(make("span", { class: "out" }, "You: "));
  if (text !== "") bubble.append(textOf(text));
  for (const file of filesOf(message)) bubble.append(make("p", { class: "attached" }, fileOf(file)));
  const foot = make("p", { class: "foot" }, make("time", { datetime: message.timestamp, title: moment(at) }, clock(at)), state !== "" && make("span", { class: state === "Seen" ? "seen read" : "seen" }, ` · ${state}`));
  return make("li", { class: mine ? "message mine" : "message", "data-id": message.id, tabindex: "-1" }, !mine && face(who, "small"), make("div", { class: "said" }, bubble, foot));
}

/** One's own that is not stored yet. @param {Pending} pending @param {Acts} acts */
export function waiting(pending, acts) {
  const foot = make("p", { class: "foot delivery", "data-state": pending.state });
  if (pending.state === "failed") {
    const why = pending.error ? ofRefusal(pending.error) : "The server did not take it.";
    foot.append(`Not sent. ${why} `, button("Send again", () => acts.retry(pending), { class: "quiet slim" }), button("Discard", () => acts.discard(pending), { class: "quiet slim" }));
  } else {
    foot.textContent = pending.state === "sending" ? "sending…" : "waits for the connection…";
  }
  const bubble = make("div", { class: "bubble" }, make("span", { class: "out" }, "You: "), textOf(String(pending.payload.message ?? "")));
  return make("li", { class: "message mine pending", "data-pending": pending.id, tabindex: "-1" }, make("div", { class: "said" }, bubble, foot));
}
