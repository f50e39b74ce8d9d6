// How long to wait before the next try. Full jitter: whoever lost the same server at the same time comes back spread out.

const FIRST_MS = 500;
/** Nobody waits longer for a server that is there again; with jitter it is half of that on average. */
const MAX_MS = 30_000;

/**
 * @param {number} attempt 0 for the first one after a good connection
 * @param {number} random 0 up to 1
 * @param {number} [named] the delay that the server asked for: never shortened
 */
export function backoff(attempt, random, named = 0) {
  return named + random * Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
}

/** Tokens in a bucket: what the server allows, spent before it has to refuse. */
export class Pace {
  #held;
  #at;

  /** @param {{perSecond: number, burst: number}} pace @param {number} now */
  constructor({ perSecond, burst }, now) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.#held = burst;
    this.#at = now;
  }

  /** How long until one more may go: 0 for now. @param {number} now */
  wait(now) {
    this.#held = Math.min(this.burst, this.#held + (Math.max(0, now - this.#at) * this.perSecond) / 1000);
    this.#at = Math.max(now, this.#at);
    return this.#held >= 1 ? 0 : Math.ceil(((1 - this.#held) * 1000) / this.perSecond);
  }

  /** Counts what goes now; joins do not wait, so it may fall below nothing. @param {number} now @param {number} cost */
  spend(now, cost) {
    this.wait(now);
    this.#held -= cost;
  }
}
