// The list of public matches for whoever has no token: asked for again and again, which costs the server next to nothing as long as
// nothing has changed. What is on is followed beside it, raid by raid.

import { backoff } from "../client/backoff.js";
import { Emitter } from "../client/emitter.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Status} Status */

const ADDRESS = new URL("../api/matches", import.meta.url);
/** A match that begins is on the list within this time. */
const EVERY_MS = 10_000;
const PATIENCE_MS = 10_000;

export class Listing extends Emitter {
  /** @type {Status} */
  status = { state: "offline", attempt: 0, retryInMs: null, code: 0, words: "" };
  /** This server shows nobody its list without a token. */
  shut = false;
  /** As a room has one; here it says no more than `shut`. */
  error = null;
  /** @type {Record<string, any>[]} */
  matches = [];
  #tag = "";
  #timer = /** @type {any} */ (undefined);
  /** Counts the askings: the answer to an older one is not heard. */
  #turn = 0;

  get state() {
    return this.status.state;
  }

  connect() {
    this.#ask(this.status.attempt);
  }

  /** For good, until `connect`. */
  disconnect() {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#tell({ state: "offline", attempt: 0, retryInMs: null });
  }

  /** @param {number} attempt */
  async #ask(attempt) {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    if (this.state !== "open") this.#tell({ state: "connecting", attempt, retryInMs: null });
    const answer = await this.#answer();
    if (turn !== this.#turn) return;
    if (answer === "shut") {
      this.shut = true;
      return this.#tell({ state: "refused", retryInMs: null });
    }
    if (answer !== "there") {
      const ms = backoff(attempt, Math.random(), answer);
      this.#timer = setTimeout(() => this.#ask(attempt + 1), ms);
      return this.#tell({ state: "offline", attempt, retryInMs: Math.round(ms) });
    }
    this.#timer = setTimeout(() => this.#ask(0), EVERY_MS);
    this.#tell({ state: "open", attempt: 0, retryInMs: null });
  }

  /** A number: it is not there now, and named this delay. @returns {Promise<"there" | "shut" | number>} */
  async #answer() {
    try {
      const known = /** @type {Record<string, string>} */ (this.#tag === "" ? {} : { "If-None-Match": this.#tag });
      const response = await fetch(ADDRESS, { cache: "no-store", headers: known, signal: AbortSignal.timeout(PATIENCE_MS) });
      if (response.status === 304) return "there";
      // Once shown, it is a server that is away for which others answer.
      if ([401, 403, 404].includes(response.status) && this.#tag === "") return "shut";
      if (!response.ok) return Number(response.headers.get("Retry-After") ?? 0) * 1000 || 0;
      this.matches = (await response.json()).matches;
      this.#tag = response.headers.get("ETag") ?? "";
      this.emit("matches", this.matches);
      return "there";
    } catch {
      return 0;
    }
  }

  /** @param {Partial<Status>} change */
  #tell(change) {
    this.status = { ...this.status, ...change };
    this.emit("state", this.status);
  }
}
