// What was said, in its order: days, who speaks in a row, what is new, how far the other side has read, and the way back by scrolling.

import { $, button, make, tell } from "../../elements.js";
import { Place } from "../../chat/place.js";
import { author, isLine, stored, waiting } from "./message.js";
import { day, ofRefusal } from "./words.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("../../../clients/js/src/types.d.ts").Message} Message */

const PAGE = 30;
/** Above this there is always something to scroll to before the next page is there. */
const AHEAD_PX = 400;
const TOGETHER_MS = 300_000;

export class Timeline {
  /** @type {Conversation | null} */
  #of = null;
  /** @type {Map<string, {of: unknown[], item: HTMLElement}>} */
  #made = new Map();
  #place = new Place($("timeline"), $("messages"));
  #timer = 0;
  /** The newest page was read. */
  #begun = false;
  #loading = false;
  #failed = "";
  #broken = "";
  /** New messages follow behind this offset, until somebody answers them. @type {number | null} */
  #read = null;
  #below = 0;
  #looks;

  /** @param {() => boolean} looks whether somebody can see the window */
  constructor(looks) {
    this.#looks = looks;
    $("timeline").addEventListener("scroll", () => this.#scrolled(), { passive: true });
    $("newest").addEventListener("click", () => (this.#place.toEnd(), $("say").focus()));
    new ResizeObserver(() => this.#place.resized()).observe($("timeline"));
  }

  /** @param {Conversation} conversation */
  show(conversation) {
    this.#of = conversation;
    this.#made.clear();
    this.#begun = this.#loading = false;
    this.#failed = this.#broken = "";
    this.#read = null;
    this.#below = 0;
    $("messages").replaceChildren();
    this.#render();
    this.#place.toEnd();
    void this.began();
  }

  /** The newest page, once the room is open. */
  async began() {
    const of = this.#of;
    this.soon();
    if (!of || this.#begun || this.#loading || of.room.state !== "open") return;
    await this.#older();
    if (this.#of !== of) return;
    this.#begun = this.#failed === "";
    const mark = of.about?.read_by_customer;
    if (of.unread > 0) this.#read = mark?.offset ?? 0;
    this.#render();
    this.#place.toEnd();
    this.#scrolled();
  }

  /** A page in front of what is there. */
  async #older() {
    const of = this.#of;
    if (!of || this.#loading) return;
    this.#loading = true;
    this.#failed = "";
    let failed = "";
    try {
      await of.room.loadOlder(PAGE);
    } catch (error) {
      failed = ofRefusal(/** @type {any} */ (error));
    }
    if (this.#of !== of) return;
    this.#loading = false;
    this.#failed = failed;
    this.#render();
  }

  #scrolled() {
    const of = this.#of;
    if (!of) return;
    const atEnd = this.#place.scrolled();
    $("newest").hidden = atEnd;
    if (atEnd) this.#below = 0;
    tell("below", this.#below > 0 ? String(this.#below) : "");
    if (this.#begun && of.room.more && !this.#loading && this.#failed === "" && this.#place.top() < AHEAD_PX) void this.#older().then(() => this.#scrolled());
    this.seen();
  }

  /** Whoever looks at the end has read it. */
  seen() {
    if (this.#of && this.#begun && this.#place.isAtEnd && this.#looks()) void this.#of.markRead();
  }

  /** @param {{kind: string, why?: string}} change */
  changed({ kind, why }) {
    if (kind === "replaced") this.#broken = why === "gap" ? "More was said meanwhile than is kept: some of it is missing above." : "The conversation begins anew here.";
    this.soon();
  }

  /** @param {Message} message */
  arrived(message) {
    if (this.#of?.isOwn(message)) this.#read = null;
    else {
      if (!this.#place.isAtEnd) this.#below += 1;
      if (this.#read === null && this.#begun && !this.#looks()) this.#read = message.position.offset - 1;
    }
  }

  toEnd() {
    this.#place.toEnd();
    this.soon();
  }

  /** Much that comes at once is shown at once. Not by the frames of a screen: a window in the background has none. */
  soon() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#render();
      this.#scrolled();
    }, 16);
  }

  #render() {
    const of = this.#of;
    if (!of) return;
    const wanted = this.#items(of);
    this.#place.keeping(() => settle($("messages"), wanted));
    const stay = new Set(wanted);
    for (const [key, { item }] of this.#made) if (!stay.has(item)) this.#made.delete(key);
    const edge = $("beginning");
    const words = this.#failed !== "" ? `Earlier messages could not be read. ${this.#failed}` : of.room.more && this.#begun ? "Reading earlier messages…" : "";
    if (edge.dataset.of === words) return;
    edge.dataset.of = words;
    edge.hidden = words === "";
    edge.replaceChildren(words, this.#failed === "" ? "" : button("Try again", () => void (this.#begun ? this.#older() : this.began()), { class: "quiet slim" }));
  }

  /** What should stand in the list, in order. @param {Conversation} of */
  #items(of) {
    const wanted = /** @type {HTMLElement[]} */ ([]);
    const { messages, pending } = of.room;
    const own = messages.filter((message) => of.isOwn(message));
    const [last, seen] = [own.at(-1), own.findLast((message) => of.isSeen(message))];
    let [before, today, isNew] = [/** @type {Message | null} */ (null), "", false];
    if (this.#broken && messages.length > 0) wanted.push(this.#line("broken", this.#broken));
    for (const message of messages) {
      const at = new Date(message.timestamp);
      const mine = of.isOwn(message);
      const begins = !isNew && this.#read !== null && message.position.offset > this.#read && !mine;
      const sameDay = at.toDateString() === today;
      if (!sameDay) wanted.push(this.#line(`day ${at.toDateString()}`, day(at)));
      if (begins) wanted.push(this.#line("new", "New"));
      isNew ||= begins;
      const state = message === seen ? "Seen" : message === last ? "Sent" : "";
      const item = this.#keyed(message.id, [message, state], () => stored(message, { mine, state }));
      const together = before !== null && sameDay && !begins && !isLine(message) && !isLine(before) && author(before).id === author(message).id
        && at.getTime() - new Date(before.timestamp).getTime() < TOGETHER_MS;
      item.classList.toggle("more", together);
      if (together) wanted.at(-1)?.classList.add("followed");
      item.classList.remove("followed");
      wanted.push(item);
      [before, today] = [message, at.toDateString()];
    }
    for (const one of pending) {
      wanted.push(this.#keyed(one.id, [one], () => waiting(one, { retry: () => void of.room.retry(one.id).catch(() => {}), discard: () => of.room.discard(one.id) })));
    }
    return wanted;
  }

  /** Made anew only if what it shows is another. @param {string} key @param {unknown[]} of @param {() => HTMLElement} build */
  #keyed(key, of, build) {
    const had = this.#made.get(key);
    if (had && had.of.every((one, index) => one === of[index])) return had.item;
    const item = build();
    if (had?.item.contains(document.activeElement)) setTimeout(() => item.isConnected && item.focus({ preventScroll: true }), 0);
    this.#made.set(key, { of, item });
    return item;
  }

  /** @param {string} kind @param {string} words */
  #line(kind, words) {
    const [name] = kind.split(" ");
    return this.#keyed(`/${kind}`, [words], () => make("li", { class: `line ${name}` }, make("span", {}, words)));
  }
}

/** Makes a list's children those that are wanted, and moves none that stands right: what moves loses the focus.
 * @param {HTMLElement} list @param {HTMLElement[]} wanted */
function settle(list, wanted) {
  const stay = new Set(wanted);
  for (const child of [...list.children]) if (!stay.has(/** @type {HTMLElement} */ (child))) child.remove();
  wanted.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
}
