// The rooms on the left: those that are always offered, those one belongs to, those that were opened in this window. All of them are
// joined, so that what is said there is counted.

import { $, make, tell } from "../elements.js";
import { SAMPLES, isDirect, learn, nameOf, partner, short } from "./names.js";

/** @typedef {import("../client/index.js").Kulkul} Kulkul */
/** @typedef {import("../client/index.js").Room} Room */

/** Below what the server allows one connection, so that the inbox and one more have their place. */
const ROOMS_MAX = 90;
const OPENED = "kulkul.rooms";
const UNREAD_MAX = 99;

/** @param {number} unread */
export const counted = (unread) => (unread > UNREAD_MAX ? `${UNREAD_MAX}+` : String(unread));

export class Rooms {
  /** @param {Kulkul} client @param {{id: string}} me @param {(changed: Room) => void} told something about a room is new */
  constructor(client, me, told) {
    this.client = client;
    this.me = me;
    this.told = told;
    /** @type {Map<string, {room: Room, stops: (() => void)[]}>} by the short name, in the order of the list */
    this.known = new Map();
    /** @type {Map<string, import("../../clients/js/src/types.d.ts").Channel>} */
    this.channels = new Map();
    /** @type {Set<string>} what was opened in this window and is nothing else */
    this.opened = new Set();
    this.current = "";
    this.isReady = false;
    this.timer = 0;
    try {
      this.opened = new Set(JSON.parse(sessionStorage.getItem(OPENED) ?? "[]"));
    } catch {
      // Storage may be turned off; then the rooms are those of the server.
    }
    client.inbox.on("channels", (channels) => this.belong(channels));
    client.inbox.on("marks", () => this.soon());
  }

  /** Where one belongs and how far one has read comes first: a join that knows the mark is told what is unread. */
  async begin() {
    try {
      await this.client.inbox.open();
    } catch {
      // A server without marks: rooms are there all the same, and nothing in them counts as unread.
    }
    this.isReady = true;
    for (const [name, { room }] of this.known) this.join(name, room);
    for (const { name } of SAMPLES) this.add(name);
    for (const name of this.opened) this.add(name);
    this.belong(this.client.inbox.channels);
  }

  /** @param {readonly import("../../clients/js/src/types.d.ts").Channel[]} channels */
  belong(channels) {
    const now = new Map(channels.map((channel) => [short(channel.room_id), channel]));
    for (const name of this.channels.keys()) {
      if (!now.has(name) && name !== this.current && !this.opened.has(name) && !isSample(name)) this.drop(name);
    }
    this.channels = now;
    for (const name of now.keys()) this.join(name, this.add(name));
    this.soon();
  }

  /** @param {string} name */
  add(name) {
    const had = this.known.get(name);
    if (had) return had.room;
    if (this.known.size >= ROOMS_MAX) {
      const oldest = [...this.opened].find((other) => other !== this.current && this.known.has(other));
      if (oldest) this.forget(oldest);
    }
    const room = this.client.room(name);
    const tell = () => {
      this.soon();
      this.told(room);
    };
    const stops = [
      room.on("unread", tell),
      room.on("about", tell),
      room.on("state", tell),
      room.on("people", (people) => (people.forEach(learn), this.soon())),
      room.on("message", (message) => learn(message.sender)),
    ];
    this.known.set(name, { room, stops });
    this.join(name, room);
    this.soon();
    return room;
  }

  /** Again too, where one was put out: to look whether one may come back. @param {string} name @param {Room} room */
  join(name, room) {
    if (!this.isReady || (room.state !== "away" && room.state !== "refused")) return;
    room.join({ readUpto: this.mark(name) }).catch(() => this.told(room));
  }

  /** @param {string} name */
  mark(name) {
    const mark = this.client.inbox.marks.find(({ room_id }) => short(room_id) === name);
    return mark?.upto ?? this.channels.get(name)?.read_upto;
  }

  /** @param {string} name */
  open(name) {
    this.current = name;
    if (!isSample(name) && !this.channels.has(name)) this.opened.add(name);
    this.keep();
    const room = this.add(name);
    this.soon();
    return room;
  }

  /** Takes a room that was only opened here off the list. @param {string} name */
  forget(name) {
    this.opened.delete(name);
    this.keep();
    if (!this.channels.has(name) && !isSample(name)) this.drop(name);
  }

  /** @param {string} name */
  drop(name) {
    const known = this.known.get(name);
    if (!known) return;
    for (const stop of known.stops) stop();
    this.known.delete(name);
    known.room.leave();
    this.soon();
  }

  keep() {
    try {
      sessionStorage.setItem(OPENED, JSON.stringify([...this.opened]));
    } catch {
      // As above.
    }
  }

  /** @param {string} name */
  isDirect(name) {
    return isDirect(name, this.known.get(name)?.room.about?.access ?? this.channels.get(name)?.access);
  }

  /** @param {string} name */
  titleOf(name) {
    if (this.isDirect(name)) return nameOf(partner(name, this.me.id));
    return this.known.get(name)?.room.about?.title || this.channels.get(name)?.title || name;
  }

  /** What is unread in other rooms than the one that is shown. */
  elsewhere() {
    let sum = 0;
    for (const name of this.known.keys()) if (name !== this.current) sum += this.unread(name);
    return sum;
  }

  /** In a room that one belongs to and has never read, all that was said before one came is unread too. @param {string} name */
  unread(name) {
    const room = this.known.get(name)?.room;
    if (!room) return 0;
    return room.unread + (this.channels.has(name) && !room.readUpto ? (room.about?.messages ?? 0) : 0);
  }

  soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.render();
    }, 16);
  }

  render() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.room;
    const entries = [...this.known.keys()].sort((a, b) => rank(a) - rank(b) || this.titleOf(a).localeCompare(this.titleOf(b)));
    $("rooms").replaceChildren(...entries.filter((name) => !this.isDirect(name)).map((name) => this.entry(name)));
    $("directs").replaceChildren(...entries.filter((name) => this.isDirect(name)).map((name) => this.entry(name)));
    $("no-directs").hidden = $("directs").childElementCount > 0;
    if (focused) /** @type {HTMLElement | null} */ (document.querySelector(`a[data-room="${CSS.escape(focused)}"]`))?.focus({ preventScroll: true });
    const elsewhere = this.elsewhere();
    tell("elsewhere", elsewhere > 0 ? counted(elsewhere) : "");
    const shown = this.titleOf(this.current);
    document.title = `${elsewhere > 0 ? `(${counted(elsewhere)}) ` : ""}${this.isDirect(this.current) ? shown : `#${shown}`} · Kulkul`;
  }

  /** @param {string} name */
  entry(name) {
    const { room } = /** @type {{room: Room}} */ (this.known.get(name));
    const unread = name === this.current ? 0 : this.unread(name);
    const isPrivate = room.about?.access === "private" || this.channels.get(name)?.access === "private";
    const sign = this.isDirect(name) ? "@" : isPrivate ? "▣" : "#";
    return make("li", {}, make("a", { class: unread > 0 ? "entry unread" : "entry", href: `#${name}`, "data-room": name, "aria-current": name === this.current && "page" },
      make("span", { class: "hash", "aria-hidden": "true" }, sign),
      make("span", { class: "name" }, this.titleOf(name)),
      isPrivate && make("span", { class: "out" }, ", private"),
      room.state === "refused" && make("span", { class: "mark", title: "You are not in it" }, "out"),
      unread > 0 && make("span", { class: "badge" }, counted(unread), make("span", { class: "out" }, " unread"))));
  }
}

const isSample = (/** @type {string} */ name) => SAMPLES.some((sample) => sample.name === name);

/** The samples in their own order, then the others. @param {string} name */
function rank(name) {
  const at = SAMPLES.findIndex((sample) => sample.name === name);
  return at < 0 ? SAMPLES.length : at;
}
