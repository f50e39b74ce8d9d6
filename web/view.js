// What is shown of the room. It knows the page and nothing of sockets.

import { identity } from "./identity.js";

const MESSAGES_MAX = 500;

/** @typedef {{id: string, name: string}} Person */
/** @typedef {{id: string, text: string, state: "waiting"|"sending"|"failed", why: string, item: HTMLLIElement}} Pending */

export const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(words, pressed) {
  const made = /** @type {HTMLButtonElement} */ (element("button", "quiet again", words));
  made.type = "button";
  made.addEventListener("click", pressed);
  return made;
}

export const view = {
  /** @type {Map<string, HTMLLIElement>} by message id */
  shown: new Map(),
  /** @type {Map<string, string>} */
  people: new Map(),
  count: 0,
  /** @type {Map<string, {name: string, until: number}>} */
  typists: new Map(),

  /** idle, connecting, open, catching-up, offline or refused; and that in words. */
  state(state, words) {
    $("room").dataset.state = state;
    $("status").textContent = words;
    $("talk").hidden = state === "idle";
    $("cut").hidden = state === "idle" || state === "refused";
  },

  trouble(words, id = "trouble") {
    $(id).textContent = words;
    $(id).hidden = words === "";
  },

  /** The end of trying, with a button that begins anew. */
  refused(words, again) {
    this.state("refused", "Refused");
    this.trouble(`${words} `);
    $("trouble").append(button("Try again", again));
  },

  entering() {
    $("door").hidden = true;
    $("key").hidden = true;
    this.trouble("");
    this.tellPeople();
    $("say").focus();
  },

  /** Back to where a name is asked for, or a token. */
  outside() {
    this.state("idle", "Not in the room yet");
  },

  askForToken() {
    $("door").hidden = true;
    $("key").hidden = false;
  },

  isAtEnd() {
    const scroll = $("scroll");
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  },

  toEnd() {
    $("scroll").scrollTop = $("scroll").scrollHeight;
  },

  clear() {
    this.shown.clear();
    for (const item of $("messages").querySelectorAll("li:not([data-pending])")) item.remove();
    this.settle();
  },

  item(person, at, text, mine) {
    const item = /** @type {HTMLLIElement} */ (element("li", mine ? "message mine" : "message"));
    const who = element("div", "who");
    who.append(element("b", "", person ? person.name : "the room"));
    const time = element("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.setAttribute("datetime", at.toISOString());
    time.title = at.toLocaleString();
    who.append(time);
    item.append(who, element("p", "text", text));
    item.dataset.from = person?.id ?? "";
    item.dataset.at = String(at.getTime());
    return item;
  },

  /** One stored message, at its place in the room's order. */
  place(message, item) {
    if (this.shown.has(message.id)) return;
    const stick = this.isAtEnd();
    item.dataset.offset = String(message.position.offset);
    delete item.dataset.pending;
    this.shown.set(message.id, item);
    const list = $("messages");
    const after = Array.from(list.children).reverse().find(
      (other) => other !== item && other.dataset.offset && Number(other.dataset.offset) < message.position.offset,
    );
    if (after) after.after(item);
    else list.prepend(item);
    if (this.shown.size > MESSAGES_MAX) this.forgetOldest();
    this.settle();
    if (stick) this.toEnd();
  },

  append(item) {
    $("messages").append(item);
  },

  /** A line between what was and what is. */
  breakWith(words) {
    $("messages").prepend(element("li", "break", words));
  },

  firstOffset() {
    return Math.min(...[...this.shown.values()].map((item) => Number(item.dataset.offset)));
  },

  hasEarlier(has) {
    $("earlier").hidden = !has;
  },

  cut(isCut) {
    $("cut").textContent = isCut ? "Come back" : "Go offline";
  },

  forgetOldest() {
    const [id, item] = [...this.shown].reduce((a, b) =>
      Number(a[1].dataset.offset) <= Number(b[1].dataset.offset) ? a : b);
    this.shown.delete(id);
    item.remove();
    $("earlier").hidden = false;
  },

  /** Neighbours by one person within five minutes share a head; an empty room says what to do. */
  settle() {
    let before = null;
    for (const item of /** @type {Iterable<HTMLLIElement>} */ ($("messages").children)) {
      const near = before && item.dataset.from === before.dataset.from
        && Number(item.dataset.at) - Number(before.dataset.at) < 300_000;
      item.classList.toggle("more", Boolean(near && item.classList.contains("message")));
      before = item.classList.contains("message") ? item : null;
    }
    $("empty").hidden = $("messages").children.length > 0 || $("room").dataset.state === "connecting";
  },

  /** @param {() => void} again what the button of a failed message does */
  mark(pending, again) {
    let mark = /** @type {HTMLElement | null} */ (pending.item.querySelector(".mark-state"));
    if (!mark) {
      mark = element("span", "mark-state");
      pending.item.append(mark);
    }
    mark.dataset.state = pending.state;
    mark.textContent = { waiting: "waits its turn…", sending: "sending…", failed: `not sent: ${pending.why} ` }[pending.state];
    if (pending.state === "failed") {
      mark.append(button("Send again", again));
    }
  },

  /** Only the newest says so; it stands for those before it. */
  sent(item) {
    for (const old of $("messages").querySelectorAll('.mark-state[data-state="sent"]')) old.remove();
    item.querySelector(".mark-state")?.remove();
    const mark = element("span", "mark-state", "sent ✓");
    mark.dataset.state = "sent";
    item.append(mark);
  },

  tellPeople() {
    const box = $("people");
    box.hidden = this.count === 0;
    const me = identity.now?.user?.id;
    const names = [...this.people].sort(([a], [b]) => (a === me ? -1 : b === me ? 1 : a < b ? -1 : 1));
    const few = names.slice(0, 12);
    const count = element("span", "count", this.count === 1 ? "1 person here" : `${this.count} people here`);
    box.replaceChildren(count, ...few.map(([id, name]) =>
      element("span", id === me ? "me" : "", id === me ? `${name} (you)` : name)));
    if (this.count > few.length && few.length > 0) {
      box.append(element("span", "count", `and ${this.count - few.length} more`));
    }
  },

  tellTyping() {
    const now = Date.now();
    for (const [id, typist] of this.typists) if (typist.until <= now) this.typists.delete(id);
    const names = [...this.typists.values()].map((typist) => typist.name);
    $("typing").textContent =
      names.length === 0 ? "\u00a0"
      : names.length === 1 ? `${names[0]} is typing…`
      : names.length === 2 ? `${names[0]} and ${names[1]} are typing…`
      : `${names.length} people are typing…`;
  },
};
