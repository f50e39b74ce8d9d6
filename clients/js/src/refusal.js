// Why something was not done.

/** @import { Frame } from "./types.js" */

/** The server's refusal, or one of our own. Go by `code`; `message` is for people. */
export class Refusal extends Error {
  /**
   * @param {string} code the server's, or ours: QUEUE_FULL, TOO_LARGE, DISCARDED, DISCONNECTED, TOKEN_ENDED, NO_TOKEN, NO_USER,
   *   NO_WEBSOCKET, HISTORY_FULL
   * @param {string} message
   * @param {{retryAfterMs?: number, ref?: string, room?: string}} [more]
   */
  constructor(code, message, more = {}) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    /** When the same may be tried again. @type {number | undefined} */
    this.retryAfterMs = more.retryAfterMs;
    /** Under this text the server's log says what happened. @type {string | undefined} */
    this.ref = more.ref;
    /** @type {string | undefined} */
    this.room = more.room;
  }

  /**
   * @internal
   * @param {Frame} frame of type `error`
   */
  static of(frame) {
    const { code = "INTERNAL_ERROR", message = "", retry_after_ms, ref } = frame.payload ?? {};
    return new Refusal(String(code), String(message), { retryAfterMs: retry_after_ms, ref, room: frame.room });
  }

  /** Whether the same may simply be tried again after a while. */
  get passes() {
    return PASSING.has(this.code);
  }
}

const PASSING = new Set(["BUSY", "RATE_LIMIT", "UNCONFIRMED"]);

/**
 * Who does not look at the outcome is told by events; to them a refusal is no unhandled rejection.
 *
 * @template T
 * @param {Promise<T>} promise
 */
export function quiet(promise) {
  promise.catch(() => {});
  return promise;
}
