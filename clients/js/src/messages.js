// A room's messages as they are now: records folded in order, pages of the past put in front. Knows no socket and no time.

import { isNewer } from "./codec.js";
import { Refusal } from "./refusal.js";

/** @import { Frame, Message, MessagePayload, MessagesChange, Page, Position } from "./types.js" */

/** Changes that a page of the past may not know yet: it was read a moment before it came. */
const RECENT_CHANGES_MAX = 256;
/** Pages of the past let a room grow to this many times of what it keeps by itself. */
const GROWTH_MAX = 10;

/** What has a place of its own in the list: what was said, and what support's staff noted between. */
const SAID = new Set(["new_message", "note_added"]);

/** What makes a message another one. */
const CHANGES = new Set(["message_edited", "message_deleted", "reaction_added", "reaction_removed", "user_erased"]);

export class Messages {
  /** In order of position. @type {Message[]} */
  list = [];
  /** Of the newest record that was applied. @type {Position | null} */
  position = null;
  /** From this offset on, up to `position`, nothing is missing. */
  from = 1;
  /** There may be earlier ones. */
  more = false;
  /** @type {Map<string, Message>} */
  #byId = new Map();
  /** @type {Frame[]} */
  #changes = [];

  /** @param {number} max */
  constructor(max) {
    this.max = max;
    this.keep = max;
  }

  /** @param {string} id */
  get(id) {
    return this.#byId.get(id);
  }

  /** Where a member stands that has asked for nothing of the past. @param {Position} position */
  begin(position) {
    this.position = position;
    this.from = position.offset + 1;
    this.more = position.offset > 0;
  }

  /** The room as it stands at `upto`. @param {Frame[]} view @param {Position} upto */
  replace(view, upto) {
    this.#changes = [];
    this.#byId.clear();
    this.list = [];
    this.keep = this.max;
    this.position = upto;
    for (const frame of view) this.#place(messageOf(frame));
    // What stands in a view from before the epoch has no place in its log.
    const first = this.list.find((message) => message.position.epoch === upto.epoch);
    this.from = first ? first.position.offset : upto.offset + 1;
    this.more = this.from > 1;
  }

  /**
   * One record, of an offset above `position`. Null: it concerns no message that is here.
   *
   * @param {Frame & {position: Position}} frame
   * @param {string} [clientId] of the request that it is the answer to
   * @returns {MessagesChange | null}
   */
  take(frame, clientId) {
    this.position = frame.position;
    if (SAID.has(frame.type)) {
      const known = this.#byId.has(frame.id ?? "");
      const message = messageOf(frame, clientId);
      if (known) this.#put(message);
      else this.#place(message);
      this.#trim();
      return { kind: known ? "changed" : "added", message };
    }
    if (!CHANGES.has(frame.type)) return null;
    this.#changes.push(frame);
    if (this.#changes.length > RECENT_CHANGES_MAX) this.#changes.shift();
    return this.#change(frame);
  }

  /**
   * A page of the past. Put in place only where it leaves no hole before what is here.
   *
   * @param {{messages: Frame[], upto: Position, more?: boolean, next?: Position}} page
   * @param {Position | null} before what was asked for; null: the newest
   * @returns {boolean} whether it was put in place
   */
  merge({ messages, upto, more, next }, before) {
    if (!this.position) {
      if (before) return false;
      // Nothing was known: the newest page is all up to its end.
      this.begin(upto);
    }
    const position = /** @type {Position} */ (this.position);
    const end = before ? before.offset : upto.offset + 1;
    if ((before ?? upto).epoch !== position.epoch || end < this.from) return false;
    const fresh = messages.map((frame) => messageOf(frame)).filter(({ id }) => !this.#byId.has(id));
    if (this.list.length + fresh.length > this.max * GROWTH_MAX) {
      throw new Refusal("HISTORY_FULL", `the room keeps ${this.list.length} messages: trim() it, or raise messagesMax (${this.max})`);
    }
    // Put in by order: the newest page may know of some that are still on their way to us.
    fresh.forEach((message) => this.#place(message));
    this.keep = Math.max(this.keep, this.list.length);
    const ids = new Set(fresh.map(({ id }) => id));
    for (const change of this.#changes) if (isNewer(upto, /** @type {Position} */ (change.position))) this.#change(change, ids);
    // Records that are no messages fill pages too: then it is not the first message that says how far was read, but `next`.
    const reached = next?.offset ?? messages[0]?.position?.offset;
    // A page that leads nowhere is the last one: asking for it again would never end.
    if (reached === undefined || reached >= end) this.more = false;
    else if (reached <= this.from) this.more = more ?? reached > 1;
    this.from = Math.min(this.from, this.more ? (reached ?? this.from) : 1);
    return true;
  }

  /** Back to what the room keeps by itself: gives up what was loaded of the past. */
  trim() {
    this.keep = this.max;
    this.#trim();
  }

  #trim() {
    while (this.list.length > this.keep) {
      const gone = /** @type {Message} */ (this.list.shift());
      this.#byId.delete(gone.id);
      if (gone.position.epoch === this.position?.epoch) this.from = gone.position.offset + 1;
      this.more = true;
    }
  }

  /** @param {Message} message */
  #place(message) {
    const { epoch, offset } = message.position;
    const isLater = (/** @type {Message} */ { position }) => position.epoch === epoch && position.offset > offset;
    let at = this.list.length;
    while (at > 0 && isLater(this.list[at - 1])) at -= 1;
    this.list.splice(at, 0, message);
    this.#byId.set(message.id, message);
  }

  /** In place of what it was. @param {Message} message */
  #put(message) {
    this.list[this.list.findLastIndex(({ id }) => id === message.id)] = message;
    this.#byId.set(message.id, message);
  }

  /**
   * @param {Frame} frame
   * @param {Set<string>} [only] these messages
   * @returns {MessagesChange | null}
   */
  #change(frame, only) {
    const { message_id, user_id } = frame.payload ?? {};
    if (frame.type === "user_erased") {
      const { epoch, offset } = /** @type {Position} */ (frame.position);
      const isBefore = (/** @type {Position} */ position) => position.epoch !== epoch || position.offset <= offset;
      const theirs = this.list.filter(({ sender, position }) => sender?.id === user_id && isBefore(position));
      for (const message of theirs) {
        if (!only || only.has(message.id)) this.#put({ ...message, payload: { content: "", changes: { erased: true } } });
      }
      return theirs.length > 0 ? { kind: "replaced", why: "erased" } : null;
    }
    const held = this.#byId.get(message_id);
    const payload = held && (!only || only.has(held.id)) && changed(held.payload, frame);
    if (!held || !payload) return null;
    const message = { ...held, payload };
    this.#put(message);
    return { kind: "changed", message };
  }
}

/**
 * The payload after a change. Null: it stays. Applying one twice, or older ones again up to the newest, does no harm.
 *
 * @param {MessagePayload} payload
 * @param {Frame} frame
 * @returns {MessagePayload | null}
 */
function changed(payload, frame) {
  const { changes: before = {}, ...plain } = payload ?? {};
  if (before.deleted || before.erased) return null;
  const { message_id: _, reaction, changes, ...edited } = frame.payload;
  if (frame.type === "message_deleted") return { content: "", changes: { deleted: true } };
  if (frame.type === "message_edited") {
    const edited_at = changes?.edited_at ?? frame.timestamp;
    return { ...edited, changes: { ...before, edited_at } };
  }
  const user = frame.sender?.id;
  if (user === undefined) return null;
  let reactions = before.reactions ?? [];
  const has = reactions.find((one) => one.reaction === reaction);
  if (frame.type === "reaction_added") {
    if (has?.users.includes(user)) return null;
    const one = { reaction, users: [...(has?.users ?? []), user] };
    reactions = has ? reactions.map((other) => (other === has ? one : other)) : [...reactions, one];
  } else {
    if (!has?.users.includes(user)) return null;
    const one = { reaction, users: has.users.filter((other) => other !== user) };
    reactions = reactions.map((other) => (other === has ? one : other)).filter(({ users }) => users.length > 0);
  }
  const { reactions: __, ...rest } = before;
  const after = reactions.length > 0 ? { ...rest, reactions } : rest;
  return Object.keys(after).length > 0 ? /** @type {any} */ ({ ...plain, changes: after }) : /** @type {any} */ (plain);
}

/** @param {Frame} frame @param {string} [clientId] @returns {Message} */
function messageOf({ id = "", payload, sender, timestamp = "", position }, clientId) {
  const message = { id, payload, sender, timestamp, position: position ?? { epoch: "", offset: 0 } };
  return clientId === undefined ? message : { ...message, clientId };
}

/**
 * A page as it came. An older server does not say whether there is more; then one that has a first message may have one before it.
 *
 * @param {{messages: Frame[], upto: Position, more?: boolean, next?: Position}} page
 * @param {boolean} forward
 * @param {number} limit
 * @returns {Page}
 */
export function pageOf({ messages, upto, more, next }, forward, limit) {
  const likely = forward ? messages.length >= limit : (messages[0]?.position?.offset ?? 1) > 1;
  const page = { messages: messages.map((frame) => messageOf(frame)), more: more ?? likely, upto };
  return next ? { ...page, next } : page;
}
