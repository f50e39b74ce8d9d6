// A match as it is told to whoever watches without a token, in the words that a room of the client has: so a page that follows a match does
// not see by which door it came in. It says a join, and asks for the sheet; it knows no socket.

import { backoff } from "../client/backoff.js";
import { isNewer } from "../client/codec.js";
import { Emitter } from "../client/emitter.js";
import { Refusal } from "../client/refusal.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Position} Position */
/** @typedef {import("../../clients/js/src/types.d.ts").RoomState} RoomState */
/** @typedef {{say: (frame: object) => boolean, enter: () => void, leave: () => void, good: () => void, time: (type: string, timestamp: string) => void}} Link */

/** Told of a match in mode delta, each with its place in the log. */
const TOLD = new Set(["match_action", "match_amended", "match_created"]);
/** Of a join: what is no refusal, but a wish to be asked later. */
const PASSING = new Set(["BUSY", "RATE_LIMIT", "UNCONFIRMED", "INTERNAL_ERROR"]);
/** A page of the sheet is asked for again as long as a server takes to come back from a restart; then the next change asks anew. */
const ASKED_MAX = 8;
const PATIENCE_MS = 10_000;

export class Seat extends Emitter {
  /** @type {RoomState} */
  state = "away";
  /** Why the state is `refused`. @type {Refusal | null} */
  error = null;
  /** @type {{matchId: string, role: string, data: any} | null} */
  about = null;
  /** The state that came in place of what was missed. @type {any} */
  view = null;
  /** Of the newest that is here. @type {Position | null} */
  #position = null;
  #later = /** @type {any} */ (undefined);
  #tries = 0;

  /** @param {string} id @param {Link} link */
  constructor(id, link) {
    super();
    this.id = id;
    this.link = link;
  }

  get #isWanted() {
    return this.state === "joining" || this.state === "open";
  }

  /** In, as soon as there is a connection, and again after every other. */
  async join() {
    if (this.#isWanted) return;
    this.#become("joining", null);
    this.link.enter();
    this.opened();
  }

  leave() {
    clearTimeout(this.#later);
    this.#become("away", null);
    this.link.leave();
  }

  /** There is a connection. With a place, what was missed comes, each once. */
  opened() {
    if (this.state === "joining") this.link.say({ type: "join", matchId: this.id, mode: "delta", since: this.#position ?? undefined });
  }

  /** There is none any more. */
  lost() {
    clearTimeout(this.#later);
    if (this.state === "open") this.#become("joining", null);
  }

  /** Nobody is let in here. @param {Refusal} refusal */
  refuse(refusal) {
    this.#become("refused", refusal);
  }

  /** @param {Record<string, any>} frame */
  hear(frame) {
    if (!this.#isWanted) return;
    if (typeof frame.error === "string") return this.#refused(frame);
    if (frame.type === "initialState") this.#stands(frame);
    else if (frame.type === "resumed") this.#isIn();
    else if (TOLD.has(frame.type)) this.#tell(frame);
    else if (frame.type === "requestJoin") this.opened();
  }

  /** The sheet, by the call that anybody may make. @param {string} word @param {{from?: number}} [asked] @returns {Promise<{payload: any}>} */
  async ask(word, { from = 1 } = {}) {
    if (word !== "get_sheet") throw new Refusal("FORBIDDEN", "viewers watch, and ask for the sheet alone");
    const address = new URL(`../api/matches/${encodeURIComponent(this.id)}/sheet?from=${from}`, import.meta.url);
    for (let tries = 0; ; tries += 1) {
      let named = 0;
      try {
        const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
        const payload = await response.json();
        this.link.time("sheet", response.headers.get("Date") ?? "");
        if (response.ok) return { payload };
        if (response.status !== 429 && response.status < 500) throw new Refusal(payload.code ?? "NOT_FOUND", payload.error ?? `the server answered ${response.status}`);
        named = Number(response.headers.get("Retry-After") ?? 0) * 1000 || 0;
      } catch (error) {
        if (error instanceof Refusal) throw error;
      }
      if (tries + 1 >= ASKED_MAX || !this.#isWanted) throw new Refusal("DISCONNECTED", "the server does not answer");
      await new Promise((resolve) => setTimeout(resolve, backoff(tries, Math.random(), named)));
    }
  }

  /** @param {Record<string, any>} frame `initialState`: the answer to a join, or in place of what is gone from the log */
  #stands({ data, role, position }) {
    const isAnew = this.#position !== null;
    this.#position = position ?? null;
    this.#isIn();
    if (isAnew) {
      this.view = data;
      this.emit("messages", { kind: "replaced", why: "gap" });
    } else {
      this.about = { matchId: data.matchId, role, data };
      this.emit("about", this.about);
    }
  }

  /** @param {Record<string, any>} frame */
  #tell({ type, data, position }) {
    if (position && !isNewer(this.#position, position)) return;
    this.#position = position ?? this.#position;
    // The newest that there is of the server's time.
    this.link.time(type, data.line?.at ?? data.at ?? "");
    this.emit("event", { type, payload: data });
  }

  /** @param {Record<string, any>} frame */
  #refused({ error, code = "", retry_after_ms }) {
    const refusal = new Refusal(code, error, { retryAfterMs: retry_after_ms });
    if (!PASSING.has(code)) return this.#become("refused", refusal);
    this.#become("joining", null);
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.opened(), backoff(this.#tries, Math.random(), retry_after_ms ?? 1000));
    this.#tries += 1;
  }

  #isIn() {
    this.#tries = 0;
    this.link.good();
    this.#become("open", null);
  }

  /** @param {RoomState} state @param {Refusal | null} error */
  #become(state, error) {
    if (state === this.state && error === this.error) return;
    this.state = state;
    this.error = error;
    this.emit("state", state);
  }
}
