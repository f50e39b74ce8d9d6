// The door for whoever watches without a token: one connection after another by the viewers' path of docs/matches.md, and one match. It
// comes back for ever, and asks for a token only where there is no such door. What is told of the match, its seat knows.

import { backoff } from "../client/backoff.js";
import { CLOSES, retryAfter } from "../client/closes.js";
import { Emitter } from "../client/emitter.js";
import { Refusal } from "../client/refusal.js";
import { Seat } from "./seat.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Status} Status */

const PATH = new URL("../ws/viewer", import.meta.url);
/** A page does not see the server's pings; so it asks by itself where nothing was told for a while, and takes silence for an end. */
const QUIET_MS = 25_000;
const ANSWER_MS = 10_000;
const LOOK_MS = 5_000;
const PATIENCE_MS = 5_000;
/** What a server says where no viewers' path is, or none for them: 426 is the door, anything else may pass. */
const SHUT = [401, 403, 404];

export class Open extends Emitter {
  /** @type {Status} */
  status = { state: "offline", attempt: 0, retryInMs: null, code: 0, words: "" };
  /** This server lets nobody in here without a token. */
  shut = false;
  /** It was open once: whatever is said in its place later is said for a server that is away. */
  #known = false;
  #opened = false;
  /** @type {WebSocket | null} */
  #socket = null;
  #timer = /** @type {any} */ (undefined);
  #watch = /** @type {any} */ (undefined);
  #heard = 0;
  #asked = 0;
  #online = () => this.status.state === "offline" && this.status.retryInMs !== null && this.connect();

  /** @param {string} id */
  constructor(id) {
    super();
    this.seat = new Seat(id, {
      say: (frame) => this.#say(frame),
      enter: () => this.connect(),
      leave: () => this.disconnect(),
      good: () => this.#tell({ attempt: 0 }),
      time: (type, timestamp) => this.emit("frame", { type, timestamp }),
    });
  }

  get state() {
    return this.status.state;
  }

  /** The one match that is told here, whatever its name as a room. */
  room() {
    return this.seat;
  }

  /** At once, unless it is connected or about to be. */
  connect() {
    if (this.#socket) return;
    const { state, attempt } = this.status;
    addEventListener("online", this.#online);
    this.#try(state === "refused" ? 0 : attempt);
  }

  disconnect() {
    this.#drop();
    this.#end({ state: "offline", attempt: 0, retryInMs: null, words: "" });
  }

  /** @param {number} attempt */
  #try(attempt) {
    clearTimeout(this.#timer);
    this.shut = false;
    const address = new URL(PATH);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address.href);
    this.#socket = socket;
    const own = (/** @type {(event: any) => void} */ does) => (/** @type {any} */ event) => this.#socket === socket && does(event);
    socket.onopen = own(() => this.#open());
    socket.onmessage = own(({ data }) => this.#message(data));
    socket.onclose = own(({ code, reason }) => this.#lost(code, reason));
    this.#tell({ state: "connecting", attempt, retryInMs: null });
  }

  #open() {
    this.#opened = this.#known = true;
    this.#heard = Date.now();
    this.#asked = 0;
    this.#look();
    this.#time();
    this.#tell({ state: "open", code: 0, words: "" });
    this.seat.opened();
  }

  /** @param {unknown} text */
  #message(text) {
    this.#heard = Date.now();
    this.#asked = 0;
    try {
      const frame = JSON.parse(String(text));
      if (frame !== null && typeof frame === "object") this.seat.hear(frame);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }

  /** @param {object} frame */
  #say(frame) {
    if (!this.#opened || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Notices a connection that is there in name only. A page that slept asks first, and judges by the answer. */
  #look() {
    this.#watch = setTimeout(() => {
      const now = Date.now();
      if (this.#asked && now - this.#asked >= ANSWER_MS) return this.#lost(1006, "");
      if (!this.#asked && now - this.#heard >= QUIET_MS && this.#say({ type: "ping" })) this.#asked = now;
      this.#look();
    }, LOOK_MS);
  }

  /** Frames of this door bear no time, and the clocks of a match need the server's: to a second, until something is told. */
  async #time() {
    try {
      const { headers } = await fetch(import.meta.url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      this.emit("frame", { type: "date", timestamp: headers.get("Date") ?? "" });
    } catch {
      // The connection's own end says so.
    }
  }

  /** @param {number} code @param {string} words */
  async #lost(code, words) {
    this.#drop();
    this.status = { ...this.status, code, words };
    if (CLOSES[code]?.back === "no") return this.#end({ state: "refused", retryInMs: null, words: words || CLOSES[code].words });
    this.#later(retryAfter(words));
    if (this.#known || !(await isShut())) return;
    // Meanwhile it may have opened, or nobody wants in any more.
    if (this.#known || this.status.state === "refused" || (this.status.state === "offline" && this.status.retryInMs === null)) return;
    this.#drop();
    this.shut = true;
    this.#end({ state: "refused", retryInMs: null, words: "" });
    this.seat.refuse(new Refusal("UNAUTHORIZED", "this server asks who you are"));
  }

  /** @param {number} named the server's own delay */
  #later(named) {
    const { attempt } = this.status;
    const ms = backoff(attempt, Math.random(), named);
    this.#timer = setTimeout(() => this.#try(attempt + 1), ms);
    this.#tell({ state: "offline", retryInMs: Math.round(ms) });
  }

  /** Lets go of the connection; whatever it still says is not heard. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#opened = false;
    clearTimeout(this.#watch);
    socket?.close(1000);
    this.seat.lost();
  }

  /** Nothing is tried any more, until `connect`. @param {Partial<Status>} change */
  #end(change) {
    clearTimeout(this.#timer);
    removeEventListener("online", this.#online);
    this.#tell(change);
  }

  /** @param {Partial<Status>} change */
  #tell(change) {
    this.status = { ...this.status, ...change };
    this.emit("state", this.status);
  }
}

/** Browsers do not say why a WebSocket did not open: the path itself does, to whoever asks without an upgrade. */
async function isShut() {
  try {
    return SHUT.includes((await fetch(PATH, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) })).status);
  } catch {
    return false;
  }
}
