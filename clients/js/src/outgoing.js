// What was asked for and is not answered yet: sent in order, sent again under the same id until there is an answer.

import { Pace, backoff } from "./backoff.js";
import { bytesOf, encode, randomId } from "./codec.js";
import { Refusal, quiet } from "./refusal.js";

/** @import { Clock, Frame } from "./types.js" */

/** What a server takes in one message unless it is configured otherwise; more would cost us the connection. */
export const FRAME_BYTES_MAX = 4096;
/** Half of the unanswered messages that a server allows on one connection. */
const AT_ONCE_MAX = 32;
/** Refusals in a row that pass by themselves, some minutes of them; then a person is asked. */
const REFUSALS_MAX = 10;
/** A server always answers; one that does not within this has lost us. */
const ANSWER_MS = 30_000;

/**
 * @typedef {object} Order
 * @property {string} id
 * @property {string} room as it is to be written; empty: none
 * @property {string} word
 * @property {Frame} frame
 * @property {string} text
 * @property {string} lane of one lane, one at a time, in order
 * @property {number} cost
 * @property {boolean} sending
 * @property {number} refusals
 * @property {number} notBefore
 * @property {number} sentAt
 * @property {((order: Order) => void)} [changed]
 * @property {(answer: Frame) => void} resolve
 * @property {(error: Error) => void} reject
 */

/**
 * @typedef {object} Way
 * @property {(text: string) => boolean} send
 * @property {(order: Order) => boolean} isReady whether its room may be spoken to
 * @property {(order: Order) => boolean} rejoin the server says that we are not in the room; false: nor do we mean to be
 * @property {() => void} silent an answer is overdue
 */

export class Outgoing {
  /** In the order of asking. @type {Map<string, Order>} */
  #orders = new Map();
  #pace;
  /** The server asked for patience. */
  #holdUntil = 0;
  /** @type {any} */
  #timer;
  #pumping = false;
  /** Something came while it pumped. */
  #again = false;

  /**
   * @param {Clock} clock
   * @param {{queueMax: number, pace: {perSecond: number, burst: number}}} limits
   * @param {Way} way
   */
  constructor(clock, { queueMax, pace }, way) {
    this.clock = clock;
    this.max = queueMax;
    this.way = way;
    this.#pace = new Pace(pace, clock.now());
  }

  get size() {
    return this.#orders.size;
  }

  /**
   * @param {{room?: string, word: string, payload?: object, lane?: string, cost?: number, id?: string, changed?: (order: Order) => void}} asked
   * @returns {{id: string, answer: Promise<Frame>, taken: boolean}}
   */
  add({ room = "", word, payload, lane, cost = 1, id = randomId(), changed }) {
    const frame = { type: word, room: room || undefined, id, payload };
    const text = encode(frame);
    const refusal = this.#refusal(room, text);
    const answer = new Promise((resolve, reject) => {
      if (refusal) return reject(refusal);
      const fresh = { sending: false, refusals: 0, notBefore: 0, sentAt: 0 };
      this.#orders.set(id, { id, room, word, frame, text, cost, changed, resolve, reject, lane: lane ?? id, ...fresh });
    });
    this.pump();
    return { id, answer: quiet(answer), taken: !refusal };
  }

  /** @param {string} room @param {string} text */
  #refusal(room, text) {
    if (this.#orders.size >= this.max) {
      return new Refusal("QUEUE_FULL", `${this.max} requests wait already (queueMax): try again when some are answered`, { room });
    }
    const bytes = bytesOf(text);
    if (bytes <= FRAME_BYTES_MAX) return null;
    return new Refusal("TOO_LARGE", `payload makes a frame of ${bytes} bytes, ${FRAME_BYTES_MAX} are the most: shorten it`, { room });
  }

  /** @param {string | undefined} id */
  get(id) {
    return id === undefined ? undefined : this.#orders.get(id);
  }

  /** Joins do not stand in a lane, but they count. @param {number} cost */
  spend(cost) {
    this.#pace.spend(this.clock.now(), cost);
  }

  /** Whether something that may be lost should go now. */
  get isIdle() {
    return this.#holdUntil <= this.clock.now() && this.#pace.wait(this.clock.now()) === 0;
  }

  /** The server's answer, if it is one. @param {Frame} frame @returns {boolean} */
  heard(frame) {
    const order = this.get(frame.id);
    if (!order?.sending) return false;
    const refusal = frame.type === "error" ? Refusal.of(frame) : null;
    if (refusal && (refusal.passes || (refusal.code === "NOT_IN_ROOM" && this.way.rejoin(order)))) {
      order.refusals += 1;
      if (order.refusals < REFUSALS_MAX) {
        this.#postpone(order, refusal);
        this.pump();
        return true;
      }
    }
    this.#orders.delete(order.id);
    if (refusal) order.reject(refusal);
    else order.resolve(frame);
    this.pump();
    return true;
  }

  /** @param {Order} order @param {Refusal} refusal */
  #postpone(order, refusal) {
    const now = this.clock.now();
    if (refusal.passes) {
      const named = refusal.retryAfterMs ?? 1000;
      order.notBefore = now + backoff(order.refusals - 1, this.clock.random(), named);
      // Not only this one was too fast.
      if (refusal.code === "RATE_LIMIT") this.#holdUntil = Math.max(this.#holdUntil, now + named);
    }
    this.#still(order);
  }

  /** @param {Order} order */
  #still(order) {
    order.sending = false;
    order.changed?.(order);
  }

  /** The connection is gone: what had no answer goes again over the next one. */
  lost() {
    this.#holdUntil = 0;
    for (const order of this.#orders.values()) if (order.sending) this.#still(order);
  }

  /** @param {string} id @param {Refusal} refusal */
  drop(id, refusal) {
    const order = this.#orders.get(id);
    this.#orders.delete(id);
    order?.reject(refusal);
    this.pump();
  }

  /** Sends what may go now, and comes back for the rest. */
  pump() {
    this.#again = true;
    if (this.#pumping) return;
    this.#pumping = true;
    let next = Infinity;
    while (this.#again) {
      this.#again = false;
      next = this.#turn(this.clock.now());
    }
    this.#pumping = false;
    this.clock.cancel(this.#timer);
    if (next < Infinity) this.#timer = this.clock.later(() => this.#wake(), Math.max(1, next - this.clock.now()));
  }

  /** @param {number} now @returns {number} when to come back */
  #turn(now) {
    let next = this.#holdUntil > now ? this.#holdUntil : Infinity;
    let unanswered = 0;
    for (const { sending } of this.#orders.values()) if (sending) unanswered += 1;
    const busy = new Set();
    for (const order of this.#orders.values()) {
      if (busy.has(order.lane)) continue;
      busy.add(order.lane);
      if (order.sending) {
        next = Math.min(next, order.sentAt + ANSWER_MS);
      } else if (!this.way.isReady(order) || unanswered >= AT_ONCE_MAX) {
        continue;
      } else if (Math.max(order.notBefore, this.#holdUntil) > now) {
        next = Math.min(next, Math.max(order.notBefore, this.#holdUntil));
      } else {
        const wait = this.#pace.wait(now);
        if (wait > 0) {
          next = Math.min(next, now + wait);
          break;
        }
        if (!this.way.send(order.text)) break;
        this.#pace.spend(now, order.cost);
        unanswered += 1;
        order.sending = true;
        order.sentAt = now;
        next = Math.min(next, now + ANSWER_MS);
        order.changed?.(order);
      }
    }
    return next;
  }

  #wake() {
    const now = this.clock.now();
    for (const order of this.#orders.values()) {
      if (order.sending && now - order.sentAt >= ANSWER_MS) return this.way.silent();
    }
    this.pump();
  }
}
