// One thing in a conversation as it is shown: a message, a note, what the room itself said, what is still on its way.

import { button, face, make } from "../elements.js";
import { textOf, voice } from "./session.js";
import { called, clock, fully, ofRefusal } from "./words.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Message} Message */
/** @typedef {import("../../clients/js/src/types.d.ts").Pending} Pending */
/** @typedef {{url: string, name?: string, type?: string, size?: number}} Attachment */

/** @param {string} timestamp */
const time = (timestamp) => make("time", { datetime: timestamp, title: fully(timestamp) }, clock(timestamp));

const SIDES = /** @type {Record<string, string>} */ ({ customer: "theirs", agent: "ours", ai: "ours", system: "system", note: "note" });

/** @param {unknown} attachments */
function files(attachments) {
  const list = /** @type {Attachment[]} */ (Array.isArray(attachments) ? attachments : []);
  return list.map((file) => {
    const { url, name, size } = typeof file === "string" ? { url: file, name: file, size: undefined } : file;
    const words = `${name || url}${size ? `, ${Math.max(1, Math.round(size / 1024))} KiB` : ""}`;
    const safe = /^(https:\/\/|\/(?!\/))/.test(String(url));
    return make("p", { class: "file" }, "📎 ", safe ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, words) : words);
  });
}

/** @param {Message} message @param {{me: string, customer: {id?: string, name?: string} | null, read: boolean}} around */
export function stored(message, { me, customer, read }) {
  const kind = voice(message);
  if (kind === "system") {
    return make("li", { class: "entry-line system", tabindex: "-1", "data-id": message.id }, make("span", {}, textOf(message)), time(message.timestamp));
  }
  const { sender } = message;
  const mine = sender?.id === me;
  const person = sender ?? { id: String(message.payload.sender_id ?? kind), name: kind === "customer" ? called(customer) : kind === "ai" ? "Assistant" : "Staff" };
  const mark = kind === "note" ? "note, only the staff sees it" : kind === "ai" ? "assistant" : mine ? "you" : "";
  const head = make("p", { class: "who" }, make("b", {}, person.name), mark !== "" && make("span", { class: "mark" }, mark), time(message.timestamp));
  const body = make("div", { class: "bubble" }, head, make("p", { class: "text" }, textOf(message)), ...files(message.payload.attachments));
  if (kind === "agent" && read) body.append(make("p", { class: "read" }, "Read"));
  return make("li", { class: `said ${SIDES[kind] ?? "ours"}`, tabindex: "-1", "data-id": message.id }, face(person, "small"), body);
}

/** @param {Pending} pending @param {{id: string, name: string}} me @param {import("./timeline.js").Room} room */
export function waiting(pending, me, room) {
  const state = make("p", { class: "delivery", "data-state": pending.state });
  if (pending.state === "failed") {
    state.append(`Not sent. ${pending.error ? ofRefusal(pending.error) : "The server did not take it."} `,
      button("Send again", () => void room.retry(pending.id).catch(() => {}), { class: "quiet slim" }), " ",
      button("Discard", () => room.discard(pending.id), { class: "quiet slim" }));
  } else {
    state.textContent = pending.state === "sending" ? "sending…" : "waits for the connection…";
  }
  const head = make("p", { class: "who" }, make("b", {}, me.name), make("span", { class: "mark" }, "you"));
  const body = make("div", { class: "bubble" }, head, make("p", { class: "text" }, String(pending.payload.message ?? "")), state);
  return make("li", { class: "said ours pending", tabindex: "-1", "data-pending": pending.id }, face(me, "small"), body);
}

/** What stands between messages. @param {string} kind @param {string} words @param {string} [timestamp] */
export function line(kind, words, timestamp) {
  return make("li", { class: `entry-line ${kind}` }, make("span", {}, words), timestamp !== undefined && time(timestamp));
}
