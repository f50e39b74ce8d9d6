// What this browser remembers of its visitor: who they are here, the key of each of their conversations, what they were about to
// say. It stays at the server's own origin, where no page that embeds the window can read it.

/**
 * A conversation, and the token that opens it and no other.
 * @typedef {object} Session
 * @property {string} id
 * @property {string} token
 * @property {string} topic
 * @property {string} at when it was begun
 * @property {string} status as it was when it was last seen
 * @property {string} [first] its first message, until that is stored
 * @property {number} [rating] the server tells its staff alone
 * @property {boolean} [anonymous] no contact is to be asked for
 */
/** @typedef {{user: {id: string, name: string} | null, name: string, sound: boolean | null, current: string, draft: string, sessions: Session[]}} Kept */

const KEY = "kulkul.support";
/** Conversations that are remembered; the oldest go first. */
const SESSIONS_MAX = 30;

/** @returns {Kept} */
const nothing = () => ({ user: null, name: "", sound: null, current: "", draft: "", sessions: [] });

export const kept = {
  now: nothing(),
  /** Storage may be turned off: then it lasts as long as the page. */
  lasts: true,

  recall() {
    try {
      const read = JSON.parse(localStorage.getItem(KEY) ?? "null");
      if (read !== null && typeof read === "object" && Array.isArray(read.sessions)) this.now = { ...nothing(), ...read };
    } catch {
      this.lasts = false;
    }
  },

  /** @param {Partial<Kept>} change */
  keep(change) {
    this.now = { ...this.now, ...change };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.now));
    } catch {
      this.lasts = false;
    }
  },

  /** @param {string} id @returns {Session | undefined} */
  session(id) {
    return this.now.sessions.find((session) => session.id === id);
  },

  get current() {
    return this.session(this.now.current);
  },

  /** The newest first. @param {Session} session */
  add(session) {
    const others = this.now.sessions.filter(({ id }) => id !== session.id);
    this.keep({ sessions: [session, ...others].slice(0, SESSIONS_MAX), current: session.id });
  },

  /** @param {string} id @param {Partial<Session>} change */
  change(id, change) {
    const had = this.session(id);
    if (!had || Object.entries(change).every(([name, value]) => had[/** @type {keyof Session} */ (name)] === value)) return;
    this.keep({ sessions: this.now.sessions.map((session) => (session.id === id ? { ...session, ...change } : session)) });
  },

  /** Its key opens nothing any more. @param {string} id */
  drop(id) {
    const { current } = this.now;
    this.keep({ sessions: this.now.sessions.filter((session) => session.id !== id), current: current === id ? "" : current });
  },
};

/** Another window of this visitor has changed something. @param {() => void} told */
export function onChange(told) {
  addEventListener("storage", ({ key }) => {
    if (key !== KEY) return;
    kept.recall();
    told();
  });
}
