// The conversation about one room: docs/protocol.md with nothing between, so that this file can be read as an example of a
// client. It shows what it learns through `view`.

import { identity } from "./identity.js";
import { view } from "./view.js";

const ROOM = "general";
const HISTORY = 50;
const PENDING_MAX = 50;
const FRAME_BYTES_MAX = 4096;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const TYPING_REPEAT_MS = 2_500;
const TYPING_LAPSE_MS = 6_000;
const QUIET_MS = 25_000;
const ANSWER_MS = 10_000;
/** Half of what the server allows, so that typing and joins have their share. */
const AT_ONCE = 5;
const AT_ONCE_EVERY_MS = 500;

/** Codes after which nobody should come back, with words for a person. */
const FINAL = {
  1002: "this page and the server do not understand each other",
  1007: "this page sent something that is no text",
  1008: "the server's rules do not allow this",
  1009: "a message was too big",
  4500: "this page sent something the server could not read",
  4503: "you may not be here",
  4509: "you are here in a newer connection",
};
const TOKEN_EXPIRED = 4401;
const RETRYABLE = new Set(["BUSY", "RATE_LIMIT", "UNCONFIRMED"]);

/** @typedef {{epoch: string, offset: number}} Position */
/** @typedef {{id: string, text: string, state: "waiting"|"sending"|"failed", why: string, item: HTMLLIElement}} Pending */

const wait = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Not randomUUID: that is there on secure origins only. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Any answer at all, even a refusal, means that the server is there. */
async function isReachable() {
  try {
    const response = await fetch("ws/online", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    return response.ok;
  } catch {
    return false;
  }
}

export const room = {
  /** @type {WebSocket | null} */
  socket: null,
  joined: false,
  /** By the person's own wish. */
  cut: false,
  attempt: 0,
  refusals: 0,
  timer: 0,
  heard: 0,
  probe: 0,
  typed: 0,
  /** A timer: until then nothing is sent, because the server asked for patience. */
  holding: 0,
  /** @type {Position | null} the newest record that is shown */
  position: null,
  /** @type {Position | null} where catching up ends */
  upto: null,
  /** @type {Map<string, Pending>} in the order of sending */
  pending: new Map(),
  /** @type {string | null} of a request for earlier messages */
  asking: null,

  connect() {
    clearTimeout(this.timer);
    if (!identity.now || this.cut || this.socket) return;
    view.state("connecting", this.attempt === 0 ? "Connecting…" : "Connecting again…");
    const url = new URL("ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    let opened = false;
    const socket = new WebSocket(url, ["kulkul", `bearer.${identity.now.token}`]);
    this.socket = socket;
    socket.onopen = () => {
      opened = true;
      this.heard = Date.now();
      this.join();
    };
    socket.onmessage = (event) => {
      this.heard = Date.now();
      clearTimeout(this.probe);
      this.probe = 0;
      let frame;
      try {
        frame = JSON.parse(event.data);
      } catch {
        return;
      }
      this.hear(frame);
    };
    socket.onclose = (event) => this.lost(event.code, event.reason, opened);
  },

  send(frame) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  },

  join() {
    const payload = { room_id: ROOM };
    if (this.position) payload.since = this.position;
    this.send({ type: "join_room", payload });
  },

  /** Lets go of the socket; whatever it still says is not heard. */
  drop() {
    const socket = this.socket;
    this.socket = null;
    this.joined = false;
    this.asking = null;
    clearTimeout(this.probe);
    this.probe = 0;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    }
    for (const pending of this.pending.values()) {
      if (pending.state === "sending") pending.state = "waiting";
      this.mark(pending);
    }
    view.typists.clear();
    view.tellTyping();
  },

  async lost(code, words, opened) {
    this.drop();
    if (this.cut) return;
    if (FINAL[code]) return this.refuse(`The server ended the conversation: ${FINAL[code]}.`);
    if (code === TOKEN_EXPIRED) {
      if (!(await this.renew())) return;
    } else if (!opened && (await isReachable())) {
      // The server is there and yet there was no upgrade: the token is the first suspect.
      this.refusals += 1;
      if (this.refusals > 2) return this.refuse("The server is there, but does not let you in.");
      if (!(await this.renew())) return;
    }
    const named = /retry after (\d+) ms/.exec(words ?? "");
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.attempt);
    this.attempt += 1;
    this.later(Number(named?.[1] ?? 0) + Math.random() * backoff);
  },

  later(ms) {
    clearTimeout(this.timer);
    const seconds = Math.ceil(ms / 1000);
    view.state("offline", `No connection. Trying again ${seconds <= 1 ? "at once" : `in ${seconds} s`}; what you write waits.`);
    this.timer = setTimeout(() => this.connect(), ms);
  },

  /** A new token under the same name. */
  async renew() {
    const { name, pasted } = identity.now ?? {};
    if (pasted) {
      identity.keep(null);
      view.outside();
      view.askForToken();
      view.trouble("The server does not take this token, or not any more. Put in another one.", "key-trouble");
      return false;
    }
    try {
      if ((await identity.ask(name)) === "given") return true;
      view.askForToken();
      this.refuse("The server gives no tokens away any more.");
      return false;
    } catch {
      // The node may be starting; the next try asks again.
      return true;
    }
  },

  refuse(words) {
    view.refused(words, () => {
      view.trouble("");
      this.attempt = 0;
      this.refusals = 0;
      if (identity.now) this.connect();
      else view.outside();
    });
  },

  mark(pending) {
    view.mark(pending, () => this.retry(pending.id));
  },

  hear(frame) {
    if (frame.room !== undefined && frame.room !== ROOM) return;
    const payload = frame.payload ?? {};
    switch (frame.type) {
      case "room_info":
        this.entered(payload);
        break;
      case "resumed":
        this.upto = payload.upto;
        this.caughtUp();
        break;
      case "gap":
      case "reset":
        this.anew(frame.type, payload);
        break;
      case "new_message":
        view.typists.delete(frame.sender?.id);
        view.tellTyping();
        this.take(frame);
        break;
      case "ack":
        this.acked(frame);
        break;
      case "history":
        this.past(frame, payload);
        break;
      case "error":
        this.failed(frame.id, payload);
        break;
      case "user_joined":
        if (!view.people.has(payload.id)) view.count += 1;
        view.people.set(payload.id, payload.name);
        view.tellPeople();
        break;
      case "user_left":
        if (view.people.delete(payload.id)) view.count -= 1;
        view.typists.delete(payload.id);
        view.tellPeople();
        view.tellTyping();
        break;
      case "online_users":
        this.counted(payload);
        break;
      case "user_typing":
        if (!frame.sender || frame.sender.id === identity.now?.user?.id) break;
        if (payload.typing) view.typists.set(frame.sender.id, { name: frame.sender.name, until: Date.now() + TYPING_LAPSE_MS });
        else view.typists.delete(frame.sender.id);
        view.tellTyping();
        break;
    }
  },

  entered(payload) {
    const resumes = this.position !== null;
    this.joined = true;
    this.attempt = 0;
    this.refusals = 0;
    this.counted(payload);
    view.trouble("");
    view.state("open", "Here");
    view.settle();
    if (!resumes) this.send({ type: "get_history", id: "first", payload: { room_id: ROOM, limit: HISTORY } });
    if ([...this.pending.values()].some((pending) => pending.state === "waiting")) this.postLater(0);
  },

  counted({ users, count }) {
    view.count = count;
    // A count without names is news of a large room, not of an empty one.
    if (users.length > 0 || count === 0) view.people = new Map(users.map((user) => [user.id, user.name]));
    view.tellPeople();
  },

  caughtUp() {
    const behind = this.upto && this.position
      && this.upto.epoch === this.position.epoch && this.position.offset < this.upto.offset;
    if (behind) {
      view.state("catching-up", "Catching up with what was said meanwhile…");
    } else if (this.upto) {
      this.upto = null;
      view.state("open", "Here, nothing missed");
    }
  },

  anew(type, { view: state, upto }) {
    view.clear();
    this.position = upto;
    this.upto = null;
    for (const message of state?.messages ?? []) this.show(message);
    const words = type === "gap" ? "More was said meanwhile than is kept." : "The room's log began anew.";
    view.breakWith(words);
    view.state("open", "Here");
    view.settle();
  },

  isNew(position) {
    return !this.position || position.epoch !== this.position.epoch || position.offset > this.position.offset;
  },

  take(message) {
    if (!this.isNew(message.position)) return;
    this.position = message.position;
    this.show(message);
    this.caughtUp();
  },

  show(message) {
    const text = message.payload?.content;
    if (typeof text !== "string") return;
    const mine = message.sender?.id === identity.now?.user?.id;
    const item = view.item(message.sender, new Date(message.timestamp), text, mine);
    if (this.joined && !this.upto) item.classList.add("fresh");
    view.place(message, item);
  },

  acked(frame) {
    if (frame.position && this.isNew(frame.position)) this.position = frame.position;
    const pending = this.pending.get(frame.id);
    if (!pending || !frame.position) return;
    this.pending.delete(frame.id);
    if (this.pending.size === 0) view.trouble("");
    const id = frame.payload?.message_id;
    const shown = view.shown.get(id);
    if (shown) {
      // Stored before the connection ended, and brought by the pages since.
      pending.item.remove();
      view.settle();
    } else {
      pending.item.dataset.at = String(new Date(frame.timestamp).getTime());
      view.place({ id, position: frame.position }, pending.item);
    }
    view.sent(shown ?? pending.item);
    this.caughtUp();
  },

  past(frame, { messages, upto }) {
    for (const message of messages) this.show(message);
    if (frame.id === this.asking) this.asking = null;
    this.position ??= upto;
    const first = view.firstOffset();
    view.hasEarlier(messages.length > 0 && first > 1);
    view.settle();
    if (frame.id === "first") view.toEnd();
  },

  earlier() {
    if (this.asking || !this.joined || !this.position) return;
    const first = view.firstOffset();
    if (!Number.isFinite(first)) return;
    this.asking = randomId();
    const before = { epoch: this.position.epoch, offset: first };
    this.send({ type: "get_history", id: this.asking, payload: { room_id: ROOM, limit: HISTORY, before } });
  },

  failed(id, { code, message: words, retry_after_ms: after, ref }) {
    // Whoever runs the server finds our trouble by its reference.
    const message = ref ? `${words} (${ref})` : words;
    const pending = id === undefined ? undefined : this.pending.get(id);
    if (pending && (RETRYABLE.has(code) || code === "NOT_IN_ROOM")) {
      if (code === "NOT_IN_ROOM") return this.join();
      pending.state = "waiting";
      this.mark(pending);
      return this.postLater((after ?? 1000) * (1 + Math.random()));
    }
    if (pending) {
      pending.state = "failed";
      pending.why = message;
      return this.mark(pending);
    }
    if (!this.joined) {
      // The join itself was refused.
      if (RETRYABLE.has(code)) return void wait((after ?? 1000) * (1 + Math.random())).then(() => this.join());
      return this.refuse(`You cannot enter this room: ${message}.`);
    }
    if (id === undefined && code === "RATE_LIMIT") return;
    view.trouble(`The server says: ${message}.`);
  },

  /** What a person wrote; false if it cannot be sent. */
  say(text) {
    const id = randomId();
    const frame = { type: "send_message", room: ROOM, id, payload: { content: text } };
    if (new TextEncoder().encode(JSON.stringify(frame)).length > FRAME_BYTES_MAX) {
      view.trouble("That is too long for one message. Say it in two.");
      return false;
    }
    if (this.pending.size >= PENDING_MAX) {
      view.trouble("Too much waits to be sent already. It goes out when the connection is back.");
      return false;
    }
    view.trouble("");
    const item = view.item(identity.now?.user ?? { id: "", name: "you" }, new Date(), text, true);
    item.dataset.pending = id;
    const pending = /** @type {Pending} */ ({ id, text, state: "waiting", why: "", item });
    this.pending.set(id, pending);
    view.append(item);
    if (this.holding) this.mark(pending);
    else this.post(pending);
    this.typed = 0;
    view.settle();
    view.toEnd();
    return true;
  },

  post(pending) {
    const { id, text } = pending;
    const left = this.joined && this.send({ type: "send_message", room: ROOM, id, payload: { content: text } });
    pending.state = left ? "sending" : "waiting";
    this.mark(pending);
  },

  /** What was refused for now goes again in the order in which it was written, a few at a time, and nothing overtakes it. */
  postLater(ms) {
    if (this.holding) return;
    this.holding = setTimeout(() => {
      this.holding = 0;
      const waiting = [...this.pending.values()].filter((pending) => pending.state === "waiting");
      if (!this.joined) return;
      for (const pending of waiting.slice(0, AT_ONCE)) this.post(pending);
      if (waiting.length > AT_ONCE) this.postLater(AT_ONCE_EVERY_MS);
    }, ms);
  },

  retry(id) {
    const pending = this.pending.get(id);
    if (pending) this.post(pending);
  },

  typing(text) {
    if (!this.joined) return;
    const now = Date.now();
    if (text === "") {
      if (this.typed > 0) this.send({ type: "stop_typing", room: ROOM });
      this.typed = 0;
    } else if (now - this.typed >= TYPING_REPEAT_MS) {
      this.typed = now;
      this.send({ type: "typing", room: ROOM });
    }
  },

  /** A link can be dead without saying so: after some silence something small is asked. */
  check() {
    view.tellTyping();
    if (!this.joined || this.probe || document.hidden || Date.now() - this.heard < QUIET_MS) return;
    this.send({ type: "online_users", room: ROOM, id: "still-there" });
    this.probe = setTimeout(() => this.lost(1006, "", true), ANSWER_MS);
  },

  toggle() {
    this.cut = !this.cut;
    view.cut(this.cut);
    if (this.cut) {
      clearTimeout(this.timer);
      this.drop();
      view.state("offline", "Offline, by your own wish; what you write waits");
    } else {
      this.attempt = 0;
      this.connect();
    }
  },
};
