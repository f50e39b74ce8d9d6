// Who this window is. The token stays in this window's session, so that two windows can be two people.

/** @typedef {{id: string, name: string}} Person */
/** @typedef {{token: string, user: Person | null, name: string, pasted: boolean}} Identity */
/** What the demo mode may be asked to make somebody. @typedef {"agent" | "supervisor" | "scorer" | "organizer" | "driver" | "passenger" | "operator"} Role */

const DESK = new URL("demo/token", import.meta.url);

export const identity = {
  /** Under which the window's session keeps it: whoever has two parts in one window is two people. */
  key: "kulkul",
  /** @type {Identity | null} */
  now: null,

  recall() {
    try {
      this.now = JSON.parse(sessionStorage.getItem(this.key) ?? "null");
    } catch {
      this.now = null;
    }
  },

  /** @param {Identity | null} now */
  keep(now) {
    this.now = now;
    try {
      if (now) sessionStorage.setItem(this.key, JSON.stringify(now));
      else sessionStorage.removeItem(this.key);
    } catch {
      // Storage may be turned off; then a reload asks again.
    }
  },

  /** A token from the demo mode. "none": this server gives none away. @param {string} name @param {Role} [role] */
  async ask(name, role) {
    const response = await fetch(DESK, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name, role }),
    });
    if (response.status === 404 || response.status === 405) return "none";
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error ?? `the server answered ${response.status}`);
    this.keep({ token: answer.token, user: answer.user, name, pasted: false });
    return "given";
  },

  /** What a token says of its bearer: for display alone, the server checks it. @param {string} token */
  paste(token) {
    const claims = read(token);
    if (!claims) return false;
    const id = claims.user_id ?? claims.sub;
    const user = id === undefined ? null : { id: String(id), name: String(claims.name ?? claims.username ?? id) };
    this.keep({ token, user, name: user?.name ?? "", pasted: true });
    return true;
  },

  /** What the token says, for display alone. @returns {Record<string, any>} */
  claims() {
    return (this.now && read(this.now.token)) ?? {};
  },

  /** Whether the token has ended by this machine's clock. */
  ended() {
    const end = this.claims().exp;
    return typeof end === "number" && end * 1000 <= Date.now();
  },
};

/** @param {string} token @returns {Record<string, any> | null} */
function read(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
    return claims !== null && typeof claims === "object" ? claims : null;
  } catch {
    return null;
  }
}
