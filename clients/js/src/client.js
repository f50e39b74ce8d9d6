// The client: one connection and the rooms on it. Carries frames between them and decides nothing about either.

import { backoff } from "./backoff.js";
import { Room } from "./chat.js";
import { bytesOf, directRoom, encode, randomId } from "./codec.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { Inbox } from "./inbox.js";
import { FRAME_BYTES_MAX, Outgoing } from "./outgoing.js";
import { Refusal } from "./refusal.js";

/** @import { LiveRoom } from "./room.js" */
/** @import { ClientEvents, Clock, Frame, Link, Options, Person, Position, Status } from "./types.js" */

/** What the protocol allows in one `resume`. */
const JOINS_MAX = 100;
/** Times in a row that a join is put off by the server before a person is asked. */
const TRIES_MAX = 10;
/** Joins that failed for a reason that passes, besides those that say so themselves. */
const PASSING = new Set(["INTERNAL_ERROR", "NOT_IN_ROOM"]);
/** What refuses a whole `resume` and not the room that it names: then each room is joined alone. */
const WHOLE = new Set(["INVALID_PAYLOAD", "INVALID_FORMAT", "UNKNOWN_TYPE", "MISSING_ROOM"]);

/** @type {Clock} */
const CLOCK = {
  now: () => Date.now(),
  later: (work, ms) => setTimeout(work, ms),
  cancel: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};

/** @extends {Emitter<ClientEvents>} */
export class Kulkul extends Emitter {
  #options;
  /** @type {Connection} */
  #connection;
  #outgoing;
  #clock;
  /** @type {Map<string, Room>} by `#key` */
  #rooms = new Map();
  /** Joins without an answer, by the id of their frame. @type {Map<string, Set<LiveRoom>>} */
  #joins = new Map();
  /** @type {Person | null} */
  #user;
  /** What was told last. @type {string} */
  #told = "";
  /** @type {Link} */
  #link;

  /** @param {string} url such as `wss://example.org/ws` @param {Options} options */
  constructor(url, options) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? CLOCK;
    this.#user = options.user ?? null;
    this.#connection = new Connection(url, options, this.#clock, {
      opened: () => this.#opened(),
      heard: (frame) => this.#hear(frame),
      lost: () => this.#lost(),
      told: () => this.#tell(),
      failed: (error) => this.emit("error", error),
      probe: () => this.#probe(),
    });
    const { queueMax = 500, messagesMax = 500, pace = { perSecond: 16, burst: 32 } } = options;
    this.#outgoing = new Outgoing(this.#clock, { queueMax, pace }, {
      send: (text) => this.#connection.send(text),
      isReady: ({ room, id, lane }) => this.#connection.isOpen && (id === lane || this.#isReady(room)),
      rejoin: ({ room }) => this.#rejoin(room),
      silent: () => this.#connection.cut(),
    });
    this.#link = {
      clock: this.#clock,
      outgoing: this.#outgoing,
      me: () => this.user,
      enter: (room) => this.#enter([room]),
      say: (frame) => this.#say(frame),
      told: () => this.#tell(),
      mark: (room, upto) => this.inbox.markRead(this.#key(room.name), upto),
      messagesMax,
    };
    const own = () => (this.user ? this.room(`user:${this.user.id}`) : null);
    this.inbox = new Inbox(own, (name) => this.#key(name), ({ room_id, upto }) => this.#rooms.get(this.#key(room_id))?.read(upto));
  }

  /** @returns {Status} */
  get status() {
    const status = this.#connection.status;
    const behind = status.state === "open" && [...this.#rooms.values()].some((room) => room.isBehind);
    return behind ? { ...status, state: "catching-up" } : status;
  }

  get state() {
    return this.status.state;
  }

  /** Who the token names, once there was one. */
  get user() {
    return this.#user ?? this.#connection.tokens.user;
  }

  /** Those that were asked for, joined or not. */
  get rooms() {
    return this.#rooms.values();
  }

  /** Requests that have no answer yet. */
  get waiting() {
    return this.#outgoing.size;
  }

  /** Tries at once, also while it waits for its next try or was refused. */
  connect() {
    this.#connection.connect();
  }

  /** By own wish. What waits stays, and goes on with `connect`. */
  disconnect() {
    this.#connection.disconnect();
  }

  /** Drops the connection as a network would: to see what happens then. */
  cut() {
    this.#connection.cut();
  }

  /** The same object for the same room. Joins nothing. @param {string} name full, or short for the mount's own app */
  room(name) {
    const key = this.#key(name);
    let room = this.#rooms.get(key);
    if (!room) {
      room = new Room(name, this.#link);
      this.#rooms.set(key, room);
    }
    return room;
  }

  /** @param {string} name @param {{readUpto?: Position, payload?: object}} [options] */
  join(name, options = {}) {
    const room = this.room(name);
    const mark = this.inbox.marks.find(({ room_id }) => this.#key(room_id) === this.#key(name));
    room.join({ readUpto: mark?.upto, ...options });
    return room;
  }

  /** The room of two, this user and another. @param {string} userId */
  direct(userId) {
    if (!this.user) throw new Refusal("NO_USER", "nobody knows who you are: the token does not say; give `user` to the client");
    return this.room(directRoom(this.user.id, userId));
  }

  /**
   * Any word to any room that its app knows.
   *
   * @param {string} room
   * @param {string} word
   * @param {object} [payload]
   */
  act(room, word, payload) {
    return this.room(room).act(word, payload);
  }

  /** @internal A frame as it is, under an id, or null without a connection. @param {Frame} frame */
  say(frame) {
    return this.#say(frame);
  }

  /** One name for a room, however it is written: a direct room is `direct:7:8`, and `chat:direct:7:8`. @param {string} name */
  #key(name) {
    const app = `${this.#options.app ?? "chat"}:`;
    return name.startsWith(app) ? name.slice(app.length) : name;
  }

  #tell() {
    const { status } = this;
    const told = JSON.stringify(status);
    if (told === this.#told) return;
    this.#told = told;
    this.emit("state", status);
  }

  #opened() {
    this.#enter([...this.#rooms.values()].filter((room) => room.isWanted));
    this.#outgoing.pump();
  }

  #lost() {
    this.#joins.clear();
    this.#outgoing.lost();
    for (const room of this.#rooms.values()) room.lost();
  }

  /** @param {Frame} frame */
  #say(frame) {
    const sent = this.#connection.send(encode({ ...frame, id: frame.id ?? randomId() }));
    if (sent) this.#outgoing.spend(1);
    return sent;
  }

  #probe() {
    const room = [...this.#rooms.values()].find(({ isJoined }) => isJoined);
    return room !== undefined && this.#say({ type: "online_users", room: room.name });
  }

  /** Joins in as few frames as may be: by number, and by size. @param {LiveRoom[]} rooms */
  #enter(rooms) {
    if (!this.#connection.isOpen) return;
    for (let at = 0; at < rooms.length; ) {
      const id = randomId();
      let count = Math.min(JOINS_MAX, rooms.length - at);
      let text = joinOf(id, rooms.slice(at, at + count));
      while (count > 1 && bytesOf(text) > FRAME_BYTES_MAX) {
        count = Math.ceil(count / 2);
        text = joinOf(id, rooms.slice(at, at + count));
      }
      this.#joins.set(id, new Set(rooms.slice(at, at + count)));
      this.#connection.send(text);
      this.#outgoing.spend(1 + Math.floor(count / 10));
      at += count;
    }
  }

  /** @param {string} name */
  #isReady(name) {
    const room = this.#rooms.get(this.#key(name));
    return !room?.isWanted || room.isJoined;
  }

  /** @param {string} name */
  #rejoin(name) {
    const room = this.#rooms.get(this.#key(name));
    if (!room?.isWanted) return false;
    if (room.isJoined) room.again();
    return true;
  }

  /** @param {Frame} frame */
  #hear(frame) {
    const room = frame.room === undefined ? undefined : this.#rooms.get(this.#key(frame.room));
    const order = this.#outgoing.get(frame.id);
    let news = true;
    if (frame.type === "error") this.#failed(frame, room, order !== undefined);
    else this.#connection.good();
    if (frame.type === "token_expiring") this.#refresh();
    if (frame.type === "authenticated" && frame.payload?.user) this.#user = frame.payload.user;
    if (room && (room.isJoined || order || (room.isWanted && frame.type === "room_info"))) news = room.hear(frame, order);
    if (frame.type === "room_info" && room) this.#answered(frame.id, room);
    this.#outgoing.heard(frame);
    if (frame.type === "announcement") this.emit("announcement", frame);
    if (news) this.emit("frame", frame);
  }

  /** @param {string | undefined} id @param {LiveRoom} room */
  #answered(id, room) {
    const joins = id === undefined ? undefined : this.#joins.get(id);
    joins?.delete(room);
    if (id !== undefined && joins?.size === 0) this.#joins.delete(id);
  }

  /** @param {Frame} frame @param {LiveRoom | undefined} room @param {boolean} ordered */
  #failed(frame, room, ordered) {
    const refusal = Refusal.of(frame);
    const joins = frame.id === undefined ? undefined : this.#joins.get(frame.id);
    if (joins) {
      const whole = joins.size > 1 && WHOLE.has(refusal.code);
      const concerned = room && !whole ? [room] : [...joins];
      concerned.forEach((one) => this.#answered(frame.id, one));
      if (whole) concerned.forEach((one) => this.#enter([one]));
      else concerned.forEach((one) => this.#refused(one, refusal));
    } else if (room && frame.id === undefined && room.isWanted) {
      if (room.isJoined) room.lost();
      this.#refused(room, refusal);
    } else if (!ordered && frame.id === undefined) {
      this.emit("error", refusal);
    }
  }

  /** A join was put off, or refused. @param {LiveRoom} room @param {Refusal} refusal */
  #refused(room, refusal) {
    const passes = refusal.passes || PASSING.has(refusal.code);
    if (!passes || room.tries >= TRIES_MAX) return room.refuse(refusal);
    const ms = backoff(room.tries, this.#clock.random(), refusal.retryAfterMs ?? 1000);
    room.tries += 1;
    this.#clock.later(() => room.state === "joining" && this.#enter([room]), ms);
  }

  /** The token ends in a minute. Without a newer one the connection ends with it, and the next one asks again. */
  async #refresh() {
    if (!this.#connection.tokens.canRenew) return;
    try {
      const token = await this.#connection.tokens.renew();
      this.#say({ type: "refresh", payload: { token } });
    } catch (error) {
      this.emit("error", /** @type {Error} */ (error));
    }
  }
}

/** @param {string} id @param {LiveRoom[]} rooms */
function joinOf(id, rooms) {
  const entries = rooms.map(({ entry }) => entry);
  if (entries.length === 1) return encode({ type: "join_room", id, payload: entries[0] });
  return encode({ type: "resume", id, payload: { rooms: entries } });
}
