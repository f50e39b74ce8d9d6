// One room as a member sees it: joined and joined again, what was said, who is here. The words of chat are in chat.js.

import { isNewer } from "./codec.js";
import { Emitter } from "./emitter.js";
import { Messages, pageOf } from "./messages.js";
import { OwnTyping, People, Typing } from "./people.js";
import { PendingMessages } from "./pending.js";
import { RECORD_OF, aboutAfter, answerOf } from "./records.js";
import { Refusal, quiet } from "./refusal.js";
import { Unread } from "./unread.js";

/** @import { Order } from "./outgoing.js" */
/** @import { About, Answer, Frame, Link, Message, MessagePayload, Page, Pending, Person, Position, RoomEvents, RoomState, Sent } from "./types.js" */

/** Records that we are not meant to see are counted and never come: this much silence means that all has come. */
const CAUGHT_UP_MS = 1_500;
/** Pages without a message that one wish reads: some seconds at the pace a server allows. Then a person is asked. */
const EMPTY_PAGES_MAX = 20;

/** @extends {Emitter<RoomEvents>} */
export class LiveRoom extends Emitter {
  /** @type {RoomState} */
  state = "away";
  /** Why the state is `refused`. @type {Refusal | null} */
  error = null;
  /** @type {About | null} */
  about = null;
  /** @internal The view of the last gap, reset or room_info, for rooms that hold something else than messages. @type {any} */
  view = null;
  #store;
  #people = new People();
  #typing;
  #own = new OwnTyping();
  #link;
  #payload = /** @type {object} */ ({});
  #pending;
  #unread;
  /** Where catching up ends. @type {Position | null} */
  #upto = null;
  #quiet = /** @type {any} */ (undefined);
  #entering = /** @type {Promise<void> | null} */ (null);
  #entered = /** @type {{resolve: () => void, reject: (error: Error) => void} | null} */ (null);
  /** @internal Tries to join in a row that the server put off. */
  tries = 0;

  /** @param {string} name @param {Link} link */
  constructor(name, link) {
    super();
    this.name = name;
    this.#link = link;
    this.#store = new Messages(link.messagesMax);
    this.#pending = new PendingMessages(name, link, (list) => this.emit("pending", list));
    this.#unread = new Unread(link.me, (count) => this.emit("unread", count));
    this.#typing = new Typing(link.clock, () => this.emit("typing", this.typing));
  }

  /** Oldest first, as they are now. @returns {readonly Message[]} */
  get messages() {
    return this.#store.list;
  }

  /** This client's own that are not stored yet, in order. @returns {readonly Pending[]} */
  get pending() {
    return this.#pending.list;
  }

  /** There may be earlier messages than the first one. */
  get more() {
    return this.#store.more;
  }

  /** Of the newest record that was applied. */
  get position() {
    return this.#store.position;
  }

  get people() {
    return this.#people.list;
  }

  /** The true number of those who are here; `people` holds 200 at most. */
  get count() {
    return this.#people.count;
  }

  /** Who types, without oneself. */
  get typing() {
    return this.#typing.list;
  }

  /** Messages by others that were not marked as read. */
  get unread() {
    return this.#unread.count;
  }

  /** Up to where this user has read, as far as is known here. */
  get readUpto() {
    return this.#unread.upto;
  }

  /** @param {string} id */
  message(id) {
    return this.#store.get(id);
  }

  /** @internal Whether we mean to be in it. */
  get isWanted() {
    return this.state === "joining" || this.isJoined;
  }

  /** @internal */
  get isJoined() {
    return this.state === "open" || this.state === "catching-up";
  }

  /** @internal Joined before, and what was missed is not here yet. */
  get isBehind() {
    return this.state === "catching-up" || (this.state === "joining" && this.position !== null);
  }

  /** Resolves when the server let us in; joined again after every reconnect until `leave`.
   * @param {{readUpto?: Position, payload?: object}} [options] @returns {Promise<void>} */
  join({ readUpto, payload } = {}) {
    if (readUpto) this.read(readUpto);
    if (payload) this.#payload = payload;
    if (this.isJoined) return Promise.resolve();
    if (this.#entering) return this.#entering;
    const entering = new Promise((resolve, reject) => (this.#entered = { resolve: () => resolve(undefined), reject }));
    this.#entering = quiet(entering);
    this.#become("joining", null);
    this.#link.enter(this);
    return entering;
  }

  leave() {
    const joined = this.isWanted;
    this.#settle(new Refusal("DISCARDED", "left before the server answered", { room: this.name }));
    this.#become("away", null);
    this.#away();
    if (joined) this.#link.say({ type: "leave_room", payload: { room_id: this.name } });
  }

  /** Resolves when it is stored. It is sent again under the same id until the server says so or refuses it; meanwhile it is in
   * `pending`. @param {string | object} content a text, or a whole payload @param {{replyTo?: string}} [options] @returns {Promise<Sent>} */
  send(content, { replyTo } = {}) {
    const said = typeof content === "string" ? { content } : content;
    const payload = /** @type {MessagePayload} */ (replyTo ? { ...said, reply_to: replyTo } : said);
    this.#own.ends(this.#link.clock.now());
    return this.#pending.post(payload);
  }

  /** Sends a failed one again, under the same id. @param {string} id @returns {Promise<Sent>} */
  retry(id) {
    return this.#pending.retry(id);
  }

  /** Gives one up that is not stored. If it was sent before, it may be stored all the same. @param {string} id */
  discard(id) {
    this.#pending.discard(id);
  }

  /** Any word that the room's app knows. Resolves when it was done or stored.
   * @param {string} word @param {object} [payload] @returns {Promise<Answer>} */
  act(word, payload = {}) {
    const { answer } = this.#link.outgoing.add({ room: this.name, word, payload, lane: this.name });
    return quiet(answer.then(answerOf));
  }

  /** Something that changes nothing: waits behind nothing, needs no membership.
   * @param {string} word @param {object} [payload] @param {number} [cost] @returns {Promise<Frame>} */
  ask(word, payload = {}, cost = 1) {
    return this.#link.outgoing.add({ room: this.name, word, payload, cost }).answer;
  }

  /** Call it at every key: the others are told now and then. */
  startTyping() {
    if (!this.isJoined || !this.#link.outgoing.isIdle || !this.#own.isDue(this.#link.clock.now())) return;
    this.#link.say({ type: "typing", room: this.name });
  }

  stopTyping() {
    if (this.#own.ends(this.#link.clock.now()) && this.isJoined) this.#link.say({ type: "stop_typing", room: this.name });
  }

  /** A page of the past, oldest first; the newest one if neither `before` nor `after` is given. Is not kept.
   * @param {{before?: Position, after?: Position, limit?: number}} [asked] @returns {Promise<Page>} */
  async history({ before, after, limit = 50 } = {}) {
    const payload = { room_id: this.name, limit, before, after };
    const { payload: page } = await this.ask("get_history", payload, 1 + Math.min(limit, 100) / 10);
    return pageOf(page, after !== undefined, limit);
  }

  /** The page before `messages`, put in front of them; the newest page if there are none. Pages without a message are passed
   * over, so many at once: if none came and there is `more`, call it again to go on. @param {number} [limit] @returns {Promise<Page>} */
  async loadOlder(limit = 50) {
    for (let pages = 1; ; pages += 1) {
      const { position, from } = this.#store;
      const before = position ? { epoch: position.epoch, offset: from } : null;
      const page = await this.history({ before: before ?? undefined, limit });
      const frames = page.messages.map((message) => ({ ...message, type: "new_message" }));
      const isPlaced = this.#store.merge({ ...page, messages: frames }, before);
      if (isPlaced) this.emit("messages", { kind: "older" });
      if (!isPlaced || frames.length > 0 || !this.more || pages >= EMPTY_PAGES_MAX) return page;
    }
  }

  /** Gives up what `loadOlder` brought beyond what a room keeps by itself. */
  trim() {
    this.#store.trim();
    this.emit("messages", { kind: "older" });
  }

  /** Who is here, asked for; needs no membership. @returns {Promise<{users: Person[], count: number}>} */
  async online() {
    const { payload } = await this.ask("online_users");
    return { users: payload.users, count: payload.count };
  }

  /** All is read, up to `upto` or to the newest record here. The user's other devices are told by the inbox. @param {Position} [upto] */
  async markRead(upto = this.position ?? undefined) {
    if (upto && this.read(upto)) await this.#link.mark(this, upto);
  }

  /** @internal What a join says of this room. @returns {object} */
  get entry() {
    const entry = { ...this.#payload, room_id: this.name };
    return { ...entry, since: this.position ?? undefined, read_upto: this.readUpto ?? undefined };
  }

  /** @internal The connection is gone. */
  lost() {
    if (this.isJoined) this.#become("joining", null);
    this.#away();
  }

  /** @internal The server does not want us here, or not any more. @param {Refusal} refusal */
  refuse(refusal) {
    this.#settle(refusal);
    this.#become("refused", refusal);
    this.#away();
    // What waits for this room goes and gets its own answer.
    this.#link.outgoing.pump();
  }

  /** @internal The server lost our place: in again, from where we are. */
  again() {
    if (this.isJoined) this.#become("joining", null);
    this.#link.enter(this);
  }

  /** @internal Our mark, also of another device. @param {Position} upto @returns {boolean} whether it is news */
  read(upto) {
    return this.#unread.read(upto, this.#store);
  }

  /** @internal A frame of this room. @param {Frame} frame @param {Order} [order] that it answers @returns {boolean} whether it was news */
  hear(frame, order) {
    const payload = frame.payload ?? {};
    switch (frame.type) {
      case "room_info":
        return this.#welcome(frame);
      case "resumed":
        this.#upto = payload.upto;
        this.#unread.resumes(payload.upto);
        return this.#caughtUp();
      case "gap":
      case "reset":
        return this.#anew(frame.type, payload);
      case "ack":
        return this.#acked(frame, order);
      case "user_joined":
      case "user_left":
      case "online_users":
        this.#people.hear(frame.type, payload);
        if (frame.type === "user_left") this.#typing.take(payload, false);
        this.emit("people", this.people);
        return true;
      case "user_typing":
        // Chat says `typing`, support `is_typing`.
        if (frame.sender && frame.sender.id !== this.#link.me()?.id) this.#typing.take(frame.sender, (payload.typing ?? payload.is_typing) === true);
        return true;
      default:
        return !frame.position || this.#record(/** @type {any} */ (frame));
    }
  }

  /** @param {Frame} frame of type `room_info` */
  #welcome({ payload, position }) {
    const held = this.position;
    if (position && held && isNewer(held, position)) {
      // We learned of a place by asking for the past meanwhile, and more was said since.
      this.again();
      return true;
    }
    this.#people.take(payload);
    this.about = payload.about ?? null;
    this.view = payload.about ?? null;
    if (position && !held) this.#store.begin(position);
    if (typeof payload.about?.unread === "number") this.#unread.begin(payload.about.unread, position);
    this.tries = 0;
    this.#become(position ? "open" : "catching-up", null);
    if (!position) this.#awaitQuiet();
    this.#settle(null);
    this.emit("people", this.people);
    this.emit("about", this.about);
    return true;
  }

  /** @param {"gap" | "reset"} why @param {any} payload */
  #anew(why, { view, upto }) {
    this.#store.replace(view?.messages ?? [], upto);
    this.view = view ?? null;
    this.#upto = null;
    this.#unread.replaced(upto);
    this.emit("messages", { kind: "replaced", why });
    if (this.isJoined) this.#become("open", null);
    return true;
  }

  /** @param {Frame & {position: Position}} frame @param {Order} [order] */
  #record(frame, order) {
    if (!isNewer(this.position, frame.position)) return false;
    const change = this.#store.take(frame, order?.id);
    if (frame.type === "new_message") {
      if (frame.sender) this.#typing.take(frame.sender, false);
      this.#unread.take(frame);
    } else if (!change) {
      const about = this.about && aboutAfter(this.about, frame, this.#link.me()?.id);
      if (about) this.emit("about", (this.about = about));
    }
    if (change) this.emit("messages", change);
    if (change?.kind === "added" && change.message) this.emit("message", change.message);
    if (frame.type !== "new_message") this.emit("event", frame);
    return this.#caughtUp();
  }

  /** The author's copy of a record; its place in the order is as any other's. @param {Frame} frame @param {Order} [order] */
  #acked(frame, order) {
    const { position, timestamp, payload } = frame;
    // First, so that it is never here twice.
    if (order) this.#pending.remove(order.id);
    if (!position || !this.isJoined) return true;
    const type = order && RECORD_OF[order.word];
    if (!type) {
      const isNews = isNewer(this.position, position);
      // Of one that was given up on its way and stored all the same: what it says is the room's to tell.
      if (isNews && !order) this.again();
      else if (isNews) this.#store.position = position;
      return this.#caughtUp();
    }
    const said = /** @type {any} */ (order.frame.payload);
    const changes = type === "message_edited" ? { ...said, changes: { edited_at: timestamp } } : said;
    const sender = this.#link.me() ?? undefined;
    this.#record({ type, id: payload?.message_id, payload: changes, sender, timestamp, position, room: frame.room }, order);
    if (order.word === "create_room" && this.about) {
      this.about = { ...this.about, role: "owner" };
      this.emit("about", this.about);
    }
    return true;
  }

  /** Whether or not, it was news. */
  #caughtUp() {
    if (this.state !== "catching-up") return true;
    const { position } = this;
    if (this.#upto && position && (position.epoch !== this.#upto.epoch || position.offset >= this.#upto.offset)) {
      this.#current();
    } else {
      this.#awaitQuiet();
    }
    return true;
  }

  #awaitQuiet() {
    this.#link.clock.cancel(this.#quiet);
    this.#quiet = this.#link.clock.later(() => this.#current(), CAUGHT_UP_MS);
  }

  #current() {
    this.#upto = null;
    if (this.state === "catching-up") this.#become("open", null);
  }

  /** What holds only while we are in it. */
  #away() {
    this.#link.clock.cancel(this.#quiet);
    this.#upto = null;
    this.#unread.lost();
    this.#typing.clear();
    this.#own.ends(this.#link.clock.now());
  }

  /** @param {Refusal | null} refusal */
  #settle(refusal) {
    const entered = this.#entered;
    this.#entered = this.#entering = null;
    if (refusal) entered?.reject(refusal);
    else entered?.resolve();
  }

  /** @param {RoomState} state @param {Refusal | null} error */
  #become(state, error) {
    this.error = error;
    if (state !== "catching-up") this.#link.clock.cancel(this.#quiet);
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
    this.#link.told();
    if (this.isJoined) this.#link.outgoing.pump();
  }
}
