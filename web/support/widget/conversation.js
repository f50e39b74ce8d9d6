// One conversation as its customer has it: the connection, what was said, how it stands. It shows nothing; what has changed is told.

import { Kulkul, Refusal } from "../../client/index.js";
import { claimsOf, isNewer } from "../../client/codec.js";
import { isEnded } from "./calls.js";
import { kept } from "./kept.js";

/** @typedef {import("./kept.js").Session} Session */
/** @typedef {import("../../../clients/js/src/types.d.ts").Message} Message */
/** @typedef {import("../../../clients/js/src/types.d.ts").Position} Position */

/**
 * How it stands, as the server says it.
 * @typedef {object} About
 * @property {"waiting" | "active" | "closed"} status
 * @property {string} [topic]
 * @property {{id: string, name: string}} [agent]
 * @property {number} [queue_position] of whoever waits, from 1
 * @property {string} [closes_at] a warning stands
 * @property {string} [closed_at]
 * @property {string} [reason]
 * @property {string} [by]
 * @property {number} [messages] how many were ever said, as it was entered
 * @property {boolean} [requires_contact]
 * @property {Position} [read_by_customer]
 * @property {Position} [read_by_agent]
 */

const SOCKET = new URL("../../ws", import.meta.url);
SOCKET.protocol = SOCKET.protocol === "https:" ? "wss:" : "ws:";

/** What holds only until the next word of how it stands. */
const PASSING = /** @type {const} */ (["agent", "closes_at", "closed_at", "reason", "by"]);

/** @typedef {{changed: () => void, messages: (change: {kind: string, why?: string}) => void, arrived: (message: Message) => void, lists: () => void}} Ears */

export class Conversation {
  /** @type {About | null} */
  about = null;
  /** Agents who have been here themselves: of others nobody knows whether they are. @type {Set<string>} */
  #met = new Set();
  /** @type {(() => void)[]} */
  #listening;

  /** @param {Session} session @param {Ears} ears */
  constructor(session, ears) {
    this.session = session;
    /** Each key names its bearer: who lost one and began anew is another guest since. */
    this.me = claimsOf(session.token).user ?? { id: "", name: "Guest" };
    this.ears = ears;
    this.client = new Kulkul(SOCKET.href, { token: this.#source(), user: this.me });
    this.room = this.client.room(`support:${session.id}`);
    const { client, room } = this;
    this.#listening = [
      client.on("state", () => ears.changed()),
      client.on("frame", (frame) => frame.room === room.name && this.#hear(frame)),
      client.inbox.on("channels", (channels) => this.#listed(channels)),
      room.on("about", (about) => this.#entered(/** @type {any} */ (about))),
      room.on("state", () => ears.changed()),
      room.on("people", () => this.#meet()),
      room.on("typing", () => ears.changed()),
      room.on("pending", () => ears.messages({ kind: "pending" })),
      room.on("message", (message) => ears.arrived(message)),
      room.on("messages", (change) => {
        if (change.kind === "replaced" && room.view?.about) this.#entered(room.view.about);
        ears.messages(change);
      }),
    ];
  }

  begin() {
    this.client.connect();
    // Refused, it says so by the room's state.
    this.room.join().then(() => this.#say(), () => {});
    this.client.inbox.open().catch(() => {});
  }

  end() {
    for (const stop of this.#listening) stop();
    this.client.disconnect();
  }

  get status() {
    return this.about?.status ?? null;
  }

  /** Its key opens it no more: the token has ended, or the server has forgotten what it was for. */
  get isLost() {
    const { status } = this.client;
    return (status.state === "refused" && status.code === 4401) || this.room.state === "refused";
  }

  /** The agent has been here, and is not now. */
  get isAlone() {
    const id = this.about?.agent?.id;
    return id !== undefined && this.#met.has(id) && !this.room.people.some((person) => person.id === id);
  }

  /** Messages of others that were not looked at. */
  get unread() {
    const mark = this.about?.read_by_customer;
    return this.about === null ? 0 : this.room.messages.filter((message) => !this.isOwn(message) && isNewer(mark, message.position)).length;
  }

  /** @param {Message} message */
  isOwn({ sender }) {
    return sender?.id === this.me.id;
  }

  /** @param {Message} message whether the agent has read it */
  isSeen({ position }) {
    const mark = this.about?.read_by_agent;
    return mark !== undefined && mark.epoch === position.epoch && position.offset <= mark.offset;
  }

  /** Asked for again after a try that came to no connection: a browser does not say why it did not. */
  #source() {
    const { id, token } = this.session;
    let asked = 0;
    return async () => {
      asked += 1;
      if (asked > 1 && (await isEnded(id, token))) throw new Refusal("TOKEN_ENDED", "the token has ended");
      return token;
    };
  }

  /** The first message was written before there was a conversation. */
  #say() {
    const { first } = this.session;
    if (!first) return;
    if ((this.about?.messages ?? 0) > 0) return this.#told({ first: undefined });
    this.room.send({ message: first }).then(() => this.#told({ first: undefined }), () => {});
  }

  /** @param {Partial<Session>} change */
  #told(change) {
    Object.assign(this.session, change);
    kept.change(this.session.id, change);
  }

  /** @param {About | null} about */
  #entered(about) {
    if (!about) return;
    const { queue_position } = this.about ?? {};
    this.#stands({ ...about, queue_position: about.queue_position ?? queue_position });
    this.#meet();
    // The place in line is news and no part of a room's standing: who comes in asks for it.
    if (about.status === "waiting") void this.refresh();
  }

  /** How it stands, asked for: what one does oneself nobody tells one. */
  async refresh() {
    try {
      const { payload } = await this.room.ask("get_session");
      this.#stands(payload);
    } catch {
      // Without a connection; coming back tells the same.
    }
  }

  /** @param {About} about */
  #stands(about) {
    if (about.status !== "waiting") delete about.queue_position;
    this.about = about;
    this.#told({ status: about.status, topic: about.topic || this.session.topic });
    this.ears.changed();
  }

  /** @param {import("../../../clients/js/src/types.d.ts").Frame} frame */
  #hear({ type, payload }) {
    if (!this.about) return;
    const rest = { ...this.about };
    if (type === "session_update" || type === "session_closed") {
      for (const name of PASSING) if (type === "session_update" || name !== "agent") delete rest[name];
      this.#stands({ ...rest, ...payload, status: type === "session_closed" ? "closed" : payload.status });
    } else if (type === "message_read") {
      const mark = payload.user_type === "customer" ? "read_by_customer" : "read_by_agent";
      if (isNewer(rest[mark], payload.upto)) this.#stands({ ...rest, [mark]: payload.upto });
    }
  }

  #meet() {
    const id = this.about?.agent?.id;
    if (id !== undefined && this.room.people.some((person) => person.id === id)) this.#met.add(id);
    this.ears.changed();
  }

  /** @param {import("../../../clients/js/src/types.d.ts").Channel[]} channels of which some are this visitor's other conversations */
  #listed(channels) {
    for (const { room_id, access } of channels) {
      if (room_id.startsWith("support:")) kept.change(room_id.slice("support:".length), { status: String(access) });
    }
    this.ears.lists();
  }

  /** All that is here was looked at. A mark that is lost is made again with the next one. */
  async markRead() {
    const last = this.room.messages.at(-1);
    if (!last || !this.about || this.room.state !== "open" || !isNewer(this.about.read_by_customer, last.position) || this.unread === 0) return;
    this.about = { ...this.about, read_by_customer: last.position };
    this.ears.changed();
    await this.room.act("mark_read", { upto: last.position }).catch(() => {});
  }

  /** A word of the session, and how it stands then. @param {string} word @param {object} [payload] */
  async act(word, payload = {}) {
    const { payload: answer } = await this.room.act(word, payload);
    await this.refresh();
    return answer;
  }
}
