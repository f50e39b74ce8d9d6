// One connection after another: opens sockets, says how each ended, and when to come back. Knows no rooms.

import { backoff } from "./backoff.js";
import { CLOSES, retryAfter } from "./closes.js";
import { decode } from "./codec.js";
import { Refusal } from "./refusal.js";
import { Tokens } from "./tokens.js";

/** @import { Clock, Frame, Options, Socket, Status } from "./types.js" */

/** The server pings after 54 s of silence, which a page cannot see; so the page asks by itself, earlier. */
const QUIET_MS = 25_000;
/** As long as the server's own rule for a client that wants to know. */
const ANSWER_MS = 10_000;
const LOOK_MS = 5_000;
const OPEN = 1;

/**
 * @typedef {object} Ears
 * @property {() => void} opened
 * @property {(frame: Frame) => void} heard
 * @property {() => void} lost an open connection is no more
 * @property {() => void} told `status` is another
 * @property {(error: Error) => void} failed
 * @property {() => boolean} probe asks for something small; false: there is nothing to ask for
 */

export class Connection {
  /** @type {Status} */
  status = { state: "offline", attempt: 0, retryInMs: null, code: 0, words: "" };
  /** @type {Socket | null} */
  #socket = null;
  #opened = false;
  /** Counts the tries: what an older one still wanted is void. */
  #turn = 0;
  /** @type {any} */
  #timer;
  /** @type {any} */
  #watch;
  #heard = 0;
  /** When something was asked for, to hear anything at all. */
  #probed = 0;
  #online = () => this.status.state === "offline" && this.status.retryInMs !== null && this.connect();

  /**
   * @param {string} url
   * @param {Options} options
   * @param {Clock} clock
   * @param {Ears} ears
   */
  constructor(url, options, clock, ears) {
    this.url = url;
    this.max = options.maxReconnectAttempts ?? Infinity;
    this.clock = clock;
    this.ears = ears;
    this.tokens = new Tokens(options.token, clock);
    this.Socket = options.WebSocket ?? /** @type {any} */ (globalThis).WebSocket;
    if (typeof this.Socket !== "function") {
      const says = "there is no global WebSocket here (Node has one from 22 on): give one as `WebSocket`, such as that of `ws`";
      throw new Refusal("NO_WEBSOCKET", says);
    }
  }

  get isOpen() {
    return this.#opened;
  }

  /** Tries at once, unless it is connected or about to be. */
  connect() {
    if (this.status.state === "connecting" || this.#socket) return;
    this.clock.cancel(this.#timer);
    const attempt = this.status.state === "offline" && this.status.retryInMs !== null ? this.status.attempt : 0;
    /** @type {any} */ (globalThis).addEventListener?.("online", this.#online);
    this.#try(attempt);
  }

  /** For good, until `connect`. */
  disconnect() {
    this.#end();
    const opened = this.#drop();
    this.#tell({ state: "offline", attempt: 0, retryInMs: null, words: "" });
    if (opened) this.ears.lost();
  }

  /** As the network would do it; comes back by itself. */
  cut() {
    if (this.#socket) this.#lost(1006, "");
  }

  /** @param {string} text */
  send(text) {
    if (!this.#opened || this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** The server has answered something sensible: what went wrong before is forgotten. */
  good() {
    this.tokens.good();
    if (this.status.attempt > 0) this.#tell({ attempt: 0 });
  }

  /** @param {number} attempt */
  async #try(attempt) {
    const turn = ++this.#turn;
    this.#tell({ state: "connecting", attempt, retryInMs: null });
    let token;
    try {
      token = await this.tokens.get();
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error instanceof Refusal && error.code === "TOKEN_ENDED") return this.#refuse(4401, error.message);
      this.ears.failed(/** @type {Error} */ (error));
      return this.#later(0);
    }
    if (turn !== this.#turn) return;
    /** @type {Socket} */
    let socket;
    try {
      socket = new this.Socket(this.url, ["kulkul", `bearer.${token}`]);
    } catch (error) {
      // An address or a token that no socket takes: the next try would be the same.
      return this.#refuse(0, String(/** @type {Error} */ (error)?.message ?? error));
    }
    this.#socket = socket;
    socket.onopen = () => this.#open();
    socket.onmessage = (event) => this.#message(event.data);
    socket.onclose = (event) => this.#lost(event.code ?? 1006, event.reason ?? "");
    // A close follows and says more; but not from every implementation where there was no connection yet.
    socket.onerror = () => this.#opened || this.#lost(1006, "");
  }

  #open() {
    this.#opened = true;
    this.#heard = this.clock.now();
    this.#probed = 0;
    this.#look();
    this.#tell({ state: "open", retryInMs: null, code: 0, words: "" });
    this.ears.opened();
  }

  /** @param {unknown} text */
  #message(text) {
    this.#heard = this.clock.now();
    this.#probed = 0;
    const frame = decode(text);
    if (frame) this.ears.heard(frame);
  }

  /** Notices a connection that is there in name only. A tab that slept is asked first, and judged by the answer. */
  #look() {
    this.#watch = this.clock.later(() => {
      const now = this.clock.now();
      // It lasts, and nobody may have asked for anything.
      this.good();
      if (this.#probed && now - this.#probed >= ANSWER_MS) return this.#lost(1006, "");
      if (!this.#probed && now - this.#heard >= QUIET_MS && this.ears.probe()) this.#probed = now;
      this.#look();
    }, LOOK_MS);
  }

  /** Lets go of the socket; whatever it still says is not heard. */
  #drop() {
    const socket = this.#socket;
    const opened = this.#opened;
    this.#socket = null;
    this.#opened = false;
    this.clock.cancel(this.#watch);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      // The one of `ws` throws what nobody listens to.
      socket.onerror = () => {};
      try {
        socket.close(1000);
      } catch {
        // It was closed already.
      }
    }
    return opened;
  }

  /** @param {number} code @param {string} words */
  #lost(code, words) {
    const opened = this.#drop();
    const back = CLOSES[code]?.back ?? "yes";
    this.status = { ...this.status, code, words };
    if (back === "new token") this.tokens.ended();
    else if (!opened) this.tokens.suspect();
    if (back === "no") this.#refuse(code, words || CLOSES[code].words);
    else this.#later(retryAfter(words));
    if (opened) this.ears.lost();
  }

  /** @param {number} named the server's own delay */
  #later(named) {
    const { attempt, code, words } = this.status;
    if (attempt >= this.max) return this.#refuse(code, words || `gave up after ${attempt} tries to come back`);
    const ms = backoff(attempt, this.clock.random(), named);
    this.#timer = this.clock.later(() => this.#try(attempt + 1), ms);
    this.#tell({ state: "offline", retryInMs: Math.round(ms) });
  }

  /** @param {number} code @param {string} words */
  #refuse(code, words) {
    this.#end();
    this.#tell({ state: "refused", retryInMs: null, code, words });
  }

  /** Nothing is tried any more. */
  #end() {
    this.#turn += 1;
    this.clock.cancel(this.#timer);
    /** @type {any} */ (globalThis).removeEventListener?.("online", this.#online);
  }

  /** @param {Partial<Status>} change */
  #tell(change) {
    this.status = { ...this.status, ...change };
    this.ears.told();
  }
}
