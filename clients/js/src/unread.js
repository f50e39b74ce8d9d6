// How many messages of others a user has not read: the server's number at a join, and what came since.

import { isNewer } from "./codec.js";

/** @import { Messages } from "./messages.js" */
/** @import { Frame, Link, Message, Position } from "./types.js" */

export class Unread {
  count = 0;
  /** Up to where this user has read, as far as is known here. @type {Position | null} */
  upto = null;
  /** Messages up to here are in `count` already. @type {Position | null} */
  #counted = null;
  /** The server counted for us what is about to come. */
  #counting = false;
  #me;
  #changed;

  /** @param {Link["me"]} me @param {(count: number) => void} changed */
  constructor(me, changed) {
    this.#me = me;
    this.#changed = changed;
  }

  /** @param {number} count as the server says @param {Position | undefined} position where we stand; else it follows */
  begin(count, position) {
    this.#counted = position ?? null;
    this.#counting = !position;
    this.#set(count);
  }

  /** What was missed comes now, up to there. @param {Position} upto */
  resumes(upto) {
    if (this.#counting) this.#counted = upto;
    this.#counting = false;
  }

  /** What is here was replaced. @param {Position} upto */
  replaced(upto) {
    this.#counted = upto;
    this.#counting = false;
  }

  lost() {
    this.#counting = false;
  }

  /** @param {Frame & {position: Position}} frame a message that was not here */
  take(frame) {
    if (this.#isOthers(frame) && isNewer(this.#counted, frame.position) && isNewer(this.upto, frame.position)) this.#set(this.count + 1);
  }

  /** @param {Position} upto @param {Messages} held @returns {boolean} whether it is further than before */
  read(upto, { list, position, from }) {
    if (!isNewer(this.upto, upto)) return false;
    this.upto = upto;
    const all = !position || !isNewer(upto, position);
    // What is not here cannot be counted; then the number stays until the next join says it.
    if (!all && (upto.epoch !== position.epoch || from > upto.offset + 1)) return true;
    this.#set(all ? 0 : list.filter((message) => this.#isOthers(message) && isNewer(upto, message.position)).length);
    return true;
  }

  /** @param {Message | Frame} message */
  #isOthers({ sender }) {
    return sender !== undefined && sender.id !== this.#me()?.id;
  }

  /** @param {number} count */
  #set(count) {
    if (count === this.count) return;
    this.count = count;
    this.#changed(count);
  }
}
