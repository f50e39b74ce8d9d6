// A room's own messages that are not stored yet: on their way, waiting, or refused and for a person to decide about.

import { answerOf } from "./records.js";
import { Refusal, quiet } from "./refusal.js";

/** @import { Order } from "./outgoing.js" */
/** @import { Link, MessagePayload, Pending, Sent } from "./types.js" */

/** Refused messages that wait for a person; the oldest go first. */
const FAILED_MAX = 100;

export class PendingMessages {
  /** In order. @type {Pending[]} */
  list = [];
  #room;
  #link;
  #changed;

  /** @param {string} room @param {Link} link @param {(list: Pending[]) => void} changed */
  constructor(room, link, changed) {
    this.#room = room;
    this.#link = link;
    this.#changed = changed;
  }

  /**
   * @param {MessagePayload} payload
   * @param {string} [id] that it was sent under before
   * @returns {Promise<Sent>}
   */
  post(payload, id) {
    const { clock, outgoing } = this.#link;
    let listed = false;
    const changed = (/** @type {Order} */ { id, sending }) => listed && this.#mark(id, { state: sending ? "sending" : "waiting", error: undefined });
    const order = outgoing.add({ room: this.#room, word: "send_message", payload, id, lane: this.#room, changed });
    if (order.taken) {
      const state = outgoing.get(order.id)?.sending ? "sending" : "waiting";
      const timestamp = new Date(clock.now()).toISOString();
      listed = true;
      // In place of the failed one, which stays where there is no room for another try.
      const others = this.list.filter((pending) => pending.id !== order.id);
      this.#set([...others, { id: order.id, payload, state, timestamp }]);
    }
    const sent = order.answer.then(
      (frame) => ({ ...answerOf(frame), message_id: frame.payload?.message_id }),
      (error) => {
        // Unless a later try is on its way already.
        if (!outgoing.get(order.id)) this.#mark(order.id, { state: "failed", error });
        throw error;
      },
    );
    return quiet(sent);
  }

  /** @param {string} id @returns {Promise<Sent>} */
  retry(id) {
    const failed = this.list.find((pending) => pending.id === id && pending.state === "failed");
    if (!failed) return Promise.reject(new Refusal("DISCARDED", `no failed message has the id ${id}`, { room: this.#room }));
    return this.post(failed.payload, id);
  }

  /** @param {string} id */
  discard(id) {
    this.#link.outgoing.drop(id, new Refusal("DISCARDED", "given up before it was stored", { room: this.#room }));
    this.remove(id);
  }

  /** @param {string} id */
  remove(id) {
    if (this.list.some((pending) => pending.id === id)) this.#set(this.list.filter((pending) => pending.id !== id));
  }

  /** @param {string} id @param {Partial<Pending>} change */
  #mark(id, change) {
    if (!this.list.some((pending) => pending.id === id)) return;
    const after = this.list.map((pending) => (pending.id === id ? { ...pending, ...change } : pending));
    const failed = after.filter(({ state }) => state === "failed");
    this.#set(failed.length > FAILED_MAX ? after.filter((pending) => pending !== failed[0]) : after);
  }

  /** @param {Pending[]} list */
  #set(list) {
    this.list = list;
    this.#changed(list);
  }
}
