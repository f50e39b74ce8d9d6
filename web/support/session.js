// One chat as the staff sees it: how it stands, what was said in it, whose turn it is. It folds what the room tells, and shows
// nothing.

import { ofReason, ofRefusal } from "./words.js";

/** @typedef {import("../client/index.js").Kulkul} Kulkul */
/** @typedef {import("../../clients/js/src/types.d.ts").Message} Message */
/** @typedef {import("../../clients/js/src/types.d.ts").Frame} Frame */
/** @typedef {import("../../clients/js/src/types.d.ts").Position} Position */
/** @typedef {{position: Position, words: string, timestamp: string}} Line what happened, between the messages */

const PAGE = 50;
/** Of what happened since one came; what lies before is in the messages. */
const LINES_MAX = 50;

/** @param {Position | null | undefined} mark @param {Position} position */
const isAfter = (mark, position) => !mark || mark.epoch !== position.epoch || position.offset > mark.offset;

/** Who speaks: customer, agent, system, ai, or note. @param {Message} message */
export function voice({ payload }) {
  if (payload.note !== undefined) return "note";
  // What one said oneself comes back as it was sent, and does not say who one is.
  return String(payload.sender_type ?? "agent");
}

/** @param {Message} message */
export const textOf = ({ payload }) => String(payload.note ?? payload.message ?? payload.content ?? "");

export class Session {
  /** @param {Kulkul} client @param {string} id @param {{id: string, name: string}} me @param {(session: Session, what: string) => void} changed */
  constructor(client, id, me, changed) {
    this.id = id;
    this.me = me;
    this.changed = changed;
    this.room = client.room(`support:${id}`);
    /** @type {Record<string, any>} */
    this.about = {};
    /** @type {Line[]} */
    this.lines = [];
    /** Whether the newest page was read. */
    this.begun = false;
    this.loading = false;
    this.failed = "";
    const { room } = this;
    this.stops = [
      room.on("about", () => this.take(room.about)),
      room.on("messages", ({ kind }) => (kind === "replaced" && this.take(/** @type {any} */ (room.view)?.about), this.changed(this, "messages"))),
      room.on("message", (message) => this.changed(this, voice(message) === "customer" ? "customer" : "messages")),
      room.on("event", (frame) => this.hear(frame)),
      room.on("pending", () => this.changed(this, "messages")),
      room.on("typing", () => this.changed(this, "typing")),
      room.on("people", () => this.changed(this, "people")),
      room.on("state", () => (void this.begin(), this.changed(this, "state"))),
    ];
  }

  join() {
    if (this.room.isWanted) return;
    this.room.join().catch(() => this.changed(this, "state"));
  }

  leave() {
    for (const stop of this.stops) stop();
    this.room.leave();
  }

  /** The newest page, once. */
  async begin() {
    if (this.begun || this.loading || this.room.state !== "open") return;
    if (await this.older()) this.begun = true;
    this.changed(this, "messages");
  }

  /** A page in front of what is there. */
  async older() {
    if (this.loading) return false;
    this.loading = true;
    this.failed = "";
    try {
      await this.room.loadOlder(PAGE);
    } catch (error) {
      this.failed = ofRefusal(error);
    }
    this.loading = false;
    this.changed(this, "messages");
    return this.failed === "";
  }

  /** @param {any} about */
  take(about) {
    if (!about) return;
    this.about = { ...about, role: about.role ?? this.about.role };
    this.changed(this, "about");
  }

  /** What one did oneself is acknowledged and not told. */
  async refresh() {
    try {
      this.take((await this.room.ask("get_session")).payload);
    } catch {
      // The next word about it says the same.
    }
  }

  /** @param {Frame} frame */
  hear({ type, payload, position, timestamp = "", sender }) {
    const { about } = this;
    switch (type) {
      case "session_update": {
        const { reason, wished_agent, how, session_id: _, ...now } = payload;
        const { agent: __, agent_away: ___, closes_at: ____, closed_at: _____, reason: ______, by: _______, ...rest } = about;
        this.take({ ...rest, ...now });
        const words = happened(about, payload, sender);
        if (words && position) this.line({ position, words, timestamp });
        return;
      }
      case "session_closed":
        this.take({ ...about, status: "closed", reason: payload.reason, by: payload.by, closed_at: payload.closed_at });
        if (position) this.line({ position, words: `Closed by ${payload.by === "customer" ? "the customer" : sender?.name ?? payload.by}: ${ofReason(payload.reason)}`, timestamp });
        return;
      case "message_read":
        return this.take({ ...about, [`read_by_${payload.user_type}`]: payload.upto });
      case "contact_set":
        return this.take({ ...about, contact: payload });
      case "session_rated":
        return this.take({ ...about, rated: payload });
    }
  }

  /** @param {Line} line */
  line(line) {
    this.lines = [...this.lines, line].slice(-LINES_MAX);
  }

  get messages() {
    return this.room.messages;
  }

  get isMine() {
    return this.about.agent?.id === this.me.id;
  }

  get isOver() {
    return this.about.status === "closed";
  }

  /** What the customer said last, or the agent. @returns {Message | undefined} */
  get last() {
    return this.messages.findLast((message) => ["customer", "agent"].includes(voice(message)));
  }

  /** Whose word is awaited. @returns {"us" | "customer" | ""} */
  get turn() {
    if (this.isOver || !this.last) return this.isOver ? "" : "us";
    return voice(this.last) === "customer" ? "us" : "customer";
  }

  /** What the customer said and the agent has not read. */
  get unread() {
    const { read_by_agent } = this.about;
    return this.messages.filter((message) => voice(message) === "customer" && isAfter(read_by_agent, message.position)).length;
  }

  /** Whether the customer has read it. @param {Message} message */
  wasRead(message) {
    return Boolean(this.about.read_by_customer) && !isAfter(this.about.read_by_customer, message.position);
  }

  get isHere() {
    return this.room.people.some(({ id }) => id === this.about.customer?.id);
  }

  /** The agent has seen all that is here. */
  seen() {
    const last = this.messages.at(-1);
    if (!last || this.unread === 0 || !this.isMine || this.room.state !== "open") return;
    this.about = { ...this.about, read_by_agent: last.position };
    this.changed(this, "about");
    // A mark that is lost costs a number; the next one carries it along.
    this.room.act("mark_read", { upto: last.position }).catch(() => {});
  }
}

/** @param {Record<string, any>} before @param {any} now @param {{name: string} | undefined} sender */
function happened(before, now, sender) {
  const by = sender ? ` by ${sender.name}` : "";
  if (now.reason) return `Handed on${now.department !== before.department ? ` to ${now.department}` : ""}${by}: ${now.reason}`;
  if (now.status === "waiting" && before.status === "active") return "Back in the queue";
  if (before.status === "closed" && now.status !== "closed") return "Opened again";
  if (now.agent && now.agent.id !== before.agent?.id) return `${now.agent.name} has this chat now`;
  if (before.priority && now.priority !== before.priority) return `Priority is ${now.priority} now${by}`;
  if (now.agent_away && !before.agent_away) return `${now.agent?.name ?? "The agent"} is gone: the customer's next word brings the chat back into the queue`;
  return "";
}
