// The chats that this window has open: its agent's own, by the inbox, and whatever else is looked at. It joins and leaves them.

import { Session } from "./session.js";

/** @typedef {import("../client/index.js").Kulkul} Kulkul */

const SUPPORT = "support:";
/** Chats that were looked at and are not one's own: the oldest are left. */
const GUESTS_MAX = 10;
const CLOSED_MAX = 30;

export class Chats {
  /** @param {Kulkul} client @param {{id: string, name: string}} me
   * @param {{changed: (session: Session, what: string) => void, listed: () => void, given: (session: Session) => void}} told */
  constructor(client, me, told) {
    this.client = client;
    this.me = me;
    this.told = told;
    /** @type {Map<string, Session>} */
    this.open = new Map();
    /** @type {string[]} the agent's own, as they came */
    this.own = [];
    /** @type {{id: string, topic: string}[]} the newest first */
    this.closed = [];
    this.begun = false;
    client.inbox.on("channels", (channels) => this.belong(channels));
  }

  /** @param {readonly import("../../clients/js/src/types.d.ts").Channel[]} channels */
  belong(channels) {
    const chats = channels.filter(({ room_id, role }) => room_id.startsWith(SUPPORT) && /** @type {string} */ (role) === "agent");
    const ids = (/** @type {string} */ access) => chats.filter((chat) => /** @type {string} */ (chat.access) === access).map(({ room_id }) => room_id.slice(SUPPORT.length));
    const now = ids("active");
    const fresh = now.filter((id) => !this.own.includes(id));
    this.own = [...this.own.filter((id) => now.includes(id)), ...fresh];
    this.closed = chats.filter((chat) => /** @type {string} */ (chat.access) === "closed").slice(-CLOSED_MAX).reverse()
      .map(({ room_id, title }) => ({ id: room_id.slice(SUPPORT.length), topic: title ?? "" }));
    for (const id of fresh) {
      const session = this.get(id);
      if (this.begun) this.told.given(session);
    }
    this.begun = true;
    this.told.listed();
  }

  /** @param {string} id */
  get(id) {
    let session = this.open.get(id);
    if (!session) {
      session = new Session(this.client, id, this.me, (changed, what) => this.told.changed(changed, what));
      this.open.set(id, session);
      const guests = [...this.open.keys()].filter((other) => !this.own.includes(other) && other !== id);
      if (guests.length > GUESTS_MAX) this.forget(guests[0]);
    }
    session.join();
    return session;
  }

  /** @param {string} id */
  forget(id) {
    this.open.get(id)?.leave();
    this.open.delete(id);
  }
}
