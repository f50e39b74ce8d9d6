// A chat's messages in their order, with its notes and what happened between; the way back by scrolling. It shows what the
// session holds and changes nothing in it but what was read.

import { Place } from "../chat/place.js";
import { button, make } from "../elements.js";
import { line, stored, waiting } from "./entry.js";
import { voice } from "./session.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("../client/index.js").Room} Room */

/** Above this there is always something to scroll to before the next page is there. */
const AHEAD_PX = 600;
/** What the client lets a room grow to by reading back. */
const MESSAGES_MAX = 5000;

const DAY = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });

export class Timeline {
  /** @param {{id: string, name: string}} me */
  constructor(me) {
    this.me = me;
    /** @type {Session | null} */
    this.session = null;
    /** @type {Map<string, {of: unknown[], item: HTMLElement}>} */
    this.made = new Map();
    this.below = 0;
    this.timer = 0;
    this.beginning = make("p", { class: "beginning", hidden: true });
    this.list = make("ol", { class: "messages", id: "messages" });
    this.scroll = make("div", { class: "timeline", id: "timeline", role: "region", "aria-label": "Conversation", tabindex: "0" }, this.beginning, this.list);
    this.badge = make("span", { class: "badge", hidden: true });
    this.newest = button("To the newest ", () => this.place.toEnd(), { class: "quiet newest", hidden: true });
    this.newest.append(this.badge);
    this.element = make("div", { class: "past" }, this.scroll, this.newest);
    this.place = new Place(this.scroll, this.list);
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.list.addEventListener("keydown", (event) => this.walk(/** @type {KeyboardEvent} */ (event)));
    document.addEventListener("visibilitychange", () => this.scrolled());
    new ResizeObserver(() => this.place.resized()).observe(this.scroll);
  }

  /** @param {Session | null} session */
  show(session) {
    if (this.session) this.place.remember(this.session.id);
    this.session = session;
    this.made.clear();
    this.below = 0;
    this.list.replaceChildren();
    this.render();
    if (session) this.place.recall(session.id);
    this.scrolled();
  }

  /** Much that comes at once is shown at once. @param {string} what is new */
  soon(what) {
    if (what === "customer" && !this.place.isAtEnd) this.below += 1;
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.render();
      this.scrolled();
    }, 16);
  }

  scrolled() {
    const { session } = this;
    if (!session) return;
    const atEnd = this.place.scrolled();
    this.newest.hidden = atEnd;
    if (atEnd) this.below = 0;
    this.badge.hidden = this.below === 0;
    this.badge.textContent = String(this.below);
    const { room } = session;
    if (session.begun && room.more && !session.loading && session.failed === "" && this.place.top() < AHEAD_PX && room.messages.length < MESSAGES_MAX) {
      void session.older().then((done) => done && this.session === session && this.scrolled());
    }
    // Whoever looks at the end has read it.
    if (atEnd && !document.hidden && this.element.checkVisibility({ visibilityProperty: true })) session.seen();
  }

  render() {
    const { session } = this;
    if (!session) return;
    const wanted = this.items(session);
    this.place.keeping(() => settle(this.list, wanted));
    const stay = new Set(wanted);
    for (const [key, { item }] of this.made) if (!stay.has(item)) this.made.delete(key);
    this.edge(session);
  }

  /** What should stand in the list, in order. @param {Session} session */
  items(session) {
    const wanted = /** @type {HTMLElement[]} */ ([]);
    const { customer } = session.about;
    const lines = [...session.lines];
    const happened = (/** @type {number} */ until) => {
      while (lines.length > 0 && lines[0].position.offset < until) {
        const { position, words, timestamp } = /** @type {import("./session.js").Line} */ (lines.shift());
        wanted.push(this.keyed(`/${position.offset}`, [words], () => line("system", words, timestamp)));
      }
    };
    let day = new Date().toDateString();
    const lastOwn = session.messages.findLast((message) => voice(message) === "agent");
    for (const message of session.messages) {
      happened(message.position.offset);
      const at = new Date(message.timestamp);
      if (at.toDateString() !== day) wanted.push(this.keyed(`/day ${at.toDateString()}`, [], () => line("day", DAY.format(at))));
      day = at.toDateString();
      // Only the newest says so: what lies before was read with it.
      const read = message === lastOwn && session.wasRead(message);
      wanted.push(this.keyed(message.id, [message, customer?.name, read], () => stored(message, { me: this.me.id, customer, read })));
    }
    happened(Infinity);
    for (const pending of session.room.pending) {
      wanted.push(this.keyed(pending.id, [pending, pending.state, pending.error], () => waiting(pending, this.me, session.room)));
    }
    return wanted;
  }

  /** Made anew only if what it shows is another. @param {string} key @param {unknown[]} of @param {() => HTMLElement} build */
  keyed(key, of, build) {
    const had = this.made.get(key);
    if (had && had.of.every((one, index) => one === of[index])) return had.item;
    const item = build();
    this.made.set(key, { of, item });
    return item;
  }

  /** @param {Session} session */
  edge(session) {
    const { room, failed, begun, loading } = session;
    const nothing = session.messages.length === 0;
    const words = failed !== "" ? `Earlier messages could not be read. ${failed} `
      : room.state === "refused" ? ofOutside(room.error)
      : !begun || (room.more && loading) ? "Reading earlier messages…"
      : room.more ? ""
      : nothing ? "Nobody has written anything yet. A first word shows the customer that somebody is here."
      : "The beginning of this chat.";
    this.beginning.hidden = words === "";
    if (this.beginning.dataset.of === words) return;
    this.beginning.dataset.of = words;
    this.beginning.replaceChildren(words, failed !== "" ? button("Try again", () => void session.older(), { class: "quiet slim" }) : "");
  }

  /** Through the messages by the arrows. @param {KeyboardEvent} event */
  walk(event) {
    const items = /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll("[data-id]")]);
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = event.key === "ArrowUp" ? at - 1 : event.key === "ArrowDown" ? at + 1 : event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : null;
    if (to === null || at < 0) return;
    event.preventDefault();
    items[to]?.focus();
  }

  /** The newest message gets the focus. */
  focus() {
    /** @type {HTMLElement | null} */ (this.list.querySelector("[data-id]:last-of-type") ?? this.scroll).focus();
  }
}

/** @param {{code?: string, message?: string} | null} refusal */
function ofOutside(refusal) {
  const code = refusal?.code ?? "";
  if (code === "FORBIDDEN") return "This chat is of a department that you do not serve. Choose another one on the left.";
  if (code === "NOT_FOUND") return "There is no such chat. Choose another one on the left.";
  return refusal?.message ?? "This chat does not open. Choose another one on the left.";
}

/** Makes a list's children those that are wanted, and moves none that stands right. @param {HTMLElement} list @param {HTMLElement[]} wanted */
function settle(list, wanted) {
  const stay = new Set(wanted);
  for (const child of [...list.children]) if (!stay.has(/** @type {HTMLElement} */ (child))) child.remove();
  wanted.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
}
