// The token that says who we are: kept while it is good, asked for again when it is not.

import { claimsOf } from "./codec.js";
import { Refusal } from "./refusal.js";

/** @import { Clock, TokenSource } from "./types.js" */

/** A source that takes longer has failed; the next try asks it again. */
const SOURCE_MS = 30_000;

export class Tokens {
  #source;
  #clock;
  /** @type {string | null} */
  #held = null;
  /** The server said that it has ended. */
  #ended = false;
  /** The last try came to no connection, and the token may be why: a browser does not say. */
  #suspect = false;

  /** @param {TokenSource} source @param {Clock} clock */
  constructor(source, clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** A token to connect with. TOKEN_ENDED: there is none any more, and no use in trying again. */
  async get() {
    if (typeof this.#source === "string") {
      if (this.#ended || (this.#suspect && this.#isPast(this.#source))) {
        throw new Refusal("TOKEN_ENDED", "the token has ended: make a client with a newer one, or give a function as `token`");
      }
      return this.#source;
    }
    const good = this.#held !== null && !this.#ended && !this.#suspect && !this.#isPast(this.#held);
    return good ? /** @type {string} */ (this.#held) : this.renew();
  }

  /** A newer one, from the source; for a token that is just a text there is none. */
  async renew() {
    if (typeof this.#source === "string") throw new Refusal("TOKEN_ENDED", "`token` is a text: there is no newer one");
    const token = await this.#bounded(this.#source);
    if (typeof token !== "string" || token === "") {
      throw new Refusal("NO_TOKEN", `\`token\` gave ${token === "" ? "an empty text" : typeof token}: it must give a JWT`);
    }
    this.#held = token;
    this.#ended = this.#suspect = false;
    return token;
  }

  /** Whom the newest one names. */
  get user() {
    const token = typeof this.#source === "string" ? this.#source : this.#held;
    return token === null ? null : claimsOf(token).user;
  }

  get canRenew() {
    return typeof this.#source !== "string";
  }

  ended() {
    this.#ended = true;
  }

  suspect() {
    this.#suspect = true;
  }

  good() {
    this.#suspect = false;
  }

  /** @param {string} token */
  #isPast(token) {
    const { endsAt } = claimsOf(token);
    return endsAt !== null && endsAt <= this.#clock.now();
  }

  /** @param {() => string | Promise<string>} source @returns {Promise<unknown>} */
  #bounded(source) {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Refusal("NO_TOKEN", `\`token\` gave nothing within ${SOURCE_MS} ms`));
      const timer = this.#clock.later(late, SOURCE_MS);
      Promise.resolve()
        .then(source)
        .then(resolve, reject)
        .finally(() => this.#clock.cancel(timer));
    });
  }
}
