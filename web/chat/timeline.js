// A room's messages in their order: days, who speaks in a row, the line between read and new, and the way back by scrolling.
// It shows what the room holds and changes nothing in it but what was read.

import { $, button, make, tell } from "../elements.js";
import { isGone, stored, waiting } from "./message.js";
import { Place } from "./place.js";
import { learn, nameOf } from "./names.js";
import { ofRefusal } from "./words.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Message} Message */
/** @typedef {import("../client/index.js").Room} Room */

const PAGE = 50;
/** Above this there is always something to scroll to before the next page is there. */
const AHEAD_PX = 700;
const TOGETHER_MS = 300_000;
/** Pages that are read to find one message. */
const SEARCH_PAGES_MAX = 20;
/** What the client lets a room grow to by reading back; see its `messagesMax`. */
const MESSAGES_MAX = 5000;

const DAY = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const MODERATES = new Set(["owner", "moderator", "warden"]);

export const moderates = (/** @type {Room | null} */ room) => MODERATES.has(room?.about?.role ?? "guest");

export class Timeline {
  /** @param {{id: string, name: string}} me @param {import("./message.js").Acts} acts */
  constructor(me, acts) {
    this.me = me;
    this.acts = { ...acts, goTo: (/** @type {string} */ id) => void this.goTo(id) };
    /** @type {Room | null} */
    this.room = null;
    /** @type {(() => void)[]} */
    this.listening = [];
    /** @type {Map<string, {of: unknown[], item: HTMLElement}>} */
    this.made = new Map();
    this.place = new Place($("timeline"), $("messages"));
    /** The rooms whose newest page was read. @type {WeakSet<Room>} */
    this.begun = new WeakSet();
    /** The rooms of which a page is on its way. @type {WeakSet<Room>} */
    this.loading = new WeakSet();
    /** Much was read and no message found: then a person says whether to go on. */
    this.paused = false;
    this.failed = "";
    this.broken = "";
    /** New messages follow behind this offset. @type {number | null} */
    this.read = null;
    this.below = 0;
    this.timer = 0;
    $("timeline").addEventListener("scroll", () => this.scrolled(), { passive: true });
    $("newest").addEventListener("click", () => (this.place.toEnd(), $("say").focus()));
    document.addEventListener("visibilitychange", () => this.scrolled());
    new ResizeObserver(() => this.place.resized()).observe($("timeline"));
  }

  /** @param {Room} room */
  show(room) {
    this.leave();
    this.room = room;
    this.made.clear();
    this.broken = this.failed = "";
    this.paused = false;
    this.below = 0;
    this.read = room.unread > 0 && room.readUpto ? room.readUpto.offset : null;
    this.listening = [
      room.on("messages", (change) => this.changed(change)),
      room.on("message", (message) => this.arrived(message)),
      room.on("pending", () => this.soon()),
      room.on("about", () => this.soon()),
      room.on("people", () => this.soon()),
      room.on("state", () => this.begin()),
    ];
    $("messages").replaceChildren();
    this.render();
    this.place.recall(room.name);
    this.begin();
  }

  leave() {
    if (this.room) this.place.remember(this.room.name);
    for (const stop of this.listening) stop();
    this.listening = [];
    this.room = null;
  }

  /** The newest page, once; and what one was reading before the page was loaded again. */
  async begin() {
    const { room } = this;
    this.soon();
    if (!room || this.begun.has(room) || room.state !== "open") return;
    this.begun.add(room);
    const kept = this.place.kept(room.name);
    await this.older();
    for (let page = 0; kept && page < SEARCH_PAGES_MAX && this.room === room && room.more && !room.message(kept.id); page += 1) {
      if (!(await this.older())) break;
    }
    if (this.room !== room) return;
    if (room.unread > 0 && room.readUpto && this.read === null) this.read = room.readUpto.offset;
    this.render();
    this.place.recall(room.name);
    this.scrolled();
  }

  /** A page in front of what is there. True: another may be asked for without asking a person. */
  async older() {
    const { room } = this;
    if (!room || this.loading.has(room)) return false;
    this.loading.add(room);
    this.failed = "";
    this.paused = false;
    this.tellEdges(room);
    let failed = "";
    let paused = false;
    try {
      const { messages } = await room.loadOlder(PAGE);
      paused = messages.length === 0 && room.more;
    } catch (error) {
      failed = ofRefusal(/** @type {any} */ (error));
    }
    this.loading.delete(room);
    // Another room is shown by now: what stands at the edge is of that one.
    if (this.room !== room) return false;
    this.failed = failed;
    this.paused = paused;
    this.render();
    return failed === "" && !paused;
  }

  scrolled() {
    const { room } = this;
    if (!room) return;
    const atEnd = this.place.scrolled();
    $("newest").hidden = atEnd;
    if (atEnd) this.below = 0;
    tell("below", this.below > 0 ? String(this.below) : "");
    if (this.begun.has(room) && room.more && !this.loading.has(room) && this.failed === "" && !this.paused && this.place.top() < AHEAD_PX && room.messages.length < MESSAGES_MAX) {
      void this.older().then((done) => done && this.scrolled());
    }
    this.seen();
  }

  /** Whoever looks at the end has read it. */
  seen() {
    const { room } = this;
    const last = room?.messages.at(-1);
    if (!room || !last || room.state !== "open" || document.hidden || !this.place.isAtEnd) return;
    const upto = room.readUpto;
    if (upto && upto.epoch === last.position.epoch && upto.offset >= last.position.offset && room.unread === 0) return;
    // A mark that is lost costs a number beside a room, nothing else; the next one carries it along.
    room.markRead(last.position).catch(() => {});
  }

  /** @param {import("../../clients/js/src/types.d.ts").MessagesChange} change */
  changed({ kind, why }) {
    if (kind === "replaced" && why !== "erased") {
      this.broken = why === "gap" ? "More was said meanwhile than is kept: some of it is missing above." : "The room's log began anew here.";
    }
    this.soon();
  }

  /** @param {Message} message */
  arrived({ sender, position }) {
    learn(sender);
    if (sender?.id === this.me.id) {
      this.read = null;
      return;
    }
    if (!this.place.isAtEnd) this.below += 1;
    if (this.read === null && (document.hidden || !this.place.isAtEnd)) this.read = position.offset - 1;
  }

  /** Much that comes at once is shown at once. Not by the frames of a screen: a window in the background has none. */
  soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.render();
      this.scrolled();
    }, 16);
  }

  render() {
    const { room } = this;
    if (!room) return;
    const wanted = this.items(room);
    this.place.keeping(() => settle($("messages"), wanted));
    const stay = new Set(wanted);
    for (const [key, { item }] of this.made) if (!stay.has(item)) this.made.delete(key);
    this.tellEdges(room);
  }

  /** What should stand in the list, in order. @param {Room} room */
  items(room) {
    const wanted = /** @type {HTMLElement[]} */ ([]);
    const canModerate = moderates(room);
    let before = /** @type {Message | null} */ (null);
    let day = "";
    let isNew = false;
    if (this.broken && room.messages.length > 0) wanted.push(this.line("broken", this.broken));
    for (const message of room.messages) {
      learn(message.sender);
      const at = new Date(message.timestamp);
      const today = at.toDateString();
      if (today !== day) wanted.push(this.line(`day ${today}`, DAY.format(at)));
      const begins = !isNew && this.read !== null && message.position.offset > this.read && message.sender?.id !== this.me.id;
      if (begins) {
        isNew = true;
        wanted.push(this.line("new", "New since you were here"));
      }
      const reply = message.payload.reply_to;
      const quoted = reply ? room.message(reply) : undefined;
      const names = (message.payload.changes?.reactions ?? []).flatMap(({ users }) => users).map(nameOf).join();
      const item = this.keyed(message.id, [message, quoted, canModerate, names], () =>
        stored(message, { me: this.me.id, canModerate, quoted, acts: this.acts }));
      const together = before && today === day && !begins && before.sender?.id === message.sender?.id && !reply
        && at.getTime() - new Date(before.timestamp).getTime() < TOGETHER_MS;
      item.classList.toggle("more", Boolean(together));
      wanted.push(item);
      before = message;
      day = today;
    }
    let follows = false;
    for (const pending of room.pending) {
      const item = this.keyed(pending.id, [pending, pending.state, pending.error], () => waiting(pending, this.me, this.acts));
      item.classList.toggle("more", follows || (before?.sender?.id === this.me.id && Date.now() - new Date(before.timestamp).getTime() < TOGETHER_MS));
      wanted.push(item);
      follows = true;
    }
    return wanted;
  }

  /** Made anew only if what it shows is another. @param {string} key @param {unknown[]} of @param {() => HTMLElement} build */
  keyed(key, of, build) {
    const had = this.made.get(key);
    if (had && had.of.every((one, index) => one === of[index])) return had.item;
    const item = build();
    item.tabIndex = had?.item.tabIndex ?? -1;
    if (had?.item.contains(document.activeElement)) setTimeout(() => item.isConnected && item.focus({ preventScroll: true }), 0);
    this.made.set(key, { of, item });
    return item;
  }

  /** @param {string} kind @param {string} words */
  line(kind, words) {
    const [name] = kind.split(" ");
    return this.keyed(`/${kind}`, [words], () => make("li", { class: `line ${name}`, "data-line": name }, make("span", {}, words)));
  }

  /** @param {Room} room */
  tellEdges(room) {
    const nobody = room.messages.length === 0 && room.pending.length === 0;
    const beginning = $("beginning");
    const full = room.messages.length >= MESSAGES_MAX;
    beginning.hidden = nobody && this.failed === "" && !(room.more && this.begun.has(room));
    const edge = this.failed !== "" ? "failed" : this.paused ? "paused" : "";
    if (edge === "paused") {
      // Made once: what is made anew loses the focus.
      if (beginning.dataset.of !== edge) {
        beginning.replaceChildren("Much has happened here without a message being written. ", button("Look further back", () => void this.older().then((done) => done && this.scrolled()), { class: "quiet slim" }));
      }
    } else if (edge === "failed") {
      beginning.replaceChildren(`Earlier messages could not be read. ${this.failed} `, button("Try again", () => void this.older(), { class: "quiet slim" }));
    } else {
      const words = full ? "Older messages are not shown here." : room.more || !this.begun.has(room) ? "Reading earlier messages…" : "This is the beginning of the room.";
      if (beginning.textContent !== words) beginning.textContent = words;
    }
    beginning.dataset.of = edge;
    const isEmpty = nobody && this.begun.has(room) && !this.loading.has(room) && room.state === "open" && !room.more;
    if (isEmpty && $("empty").dataset.of !== "nobody") {
      $("empty").dataset.of = "nobody";
      $("empty").replaceChildren(make("p", {}, make("b", {}, "Nobody has said anything here yet.")),
        make("p", {}, "Say the first word below, then open this page in a second window to hear it arrive."));
    }
    if ($("empty").dataset.of === "nobody") $("empty").hidden = !isEmpty;
  }

  /** To a message that is quoted, wherever it is. @param {string} id */
  async goTo(id) {
    const { room } = this;
    for (let page = 0; page < SEARCH_PAGES_MAX && room && this.room === room && !room.message(id) && room.more; page += 1) {
      if (!(await this.older())) break;
    }
    if (this.room !== room) return;
    this.render();
    const item = this.made.get(id)?.item;
    if (!item?.isConnected) return;
    this.place.show(item);
    item.classList.remove("shown");
    requestAnimationFrame(() => item.classList.add("shown"));
  }

  /** The newest message of one's own that can still be edited. */
  lastOwn() {
    return this.room?.messages.findLast((message) => message.sender?.id === this.me.id && !isGone(message));
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
  const messages = /** @type {HTMLElement[]} */ (wanted.filter((item) => item.classList.contains("message")));
  const current = messages.find((item) => item.contains(document.activeElement)) ?? messages.at(-1);
  for (const item of messages) if ((item.tabIndex === 0) !== (item === current)) item.tabIndex = item === current ? 0 : -1;
}
