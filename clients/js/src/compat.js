// The class of the chat tutorial, for pages that were written for it: same names, same frames. What it lacked it has now:
// early words wait for the connection, rooms are joined again, what was missed comes, nothing comes twice.

import { Kulkul } from "./client.js";

/** @import { Frame, Options, TokenSource } from "./types.js" */

/** Words that wait for the first connection; more are dropped, the newest first. */
const EARLY_MAX = 500;

export class WebSocketClient {
  /** @type {Record<string, (frame: Frame) => void>} */
  handlers = {};
  /** In a row; 5 as it always was, and 0 again with every good connection. */
  maxReconnectAttempts = 5;
  /** @type {Frame[]} */
  #early = [];
  /** @type {Kulkul | null} */
  #client = null;

  /**
   * @param {string} url
   * @param {TokenSource} token
   * @param {Partial<Options>} [options]
   */
  constructor(url, token, options = {}) {
    this.url = url;
    this.token = token;
    this.options = options;
  }

  get reconnectAttempts() {
    return this.#client?.status.attempt ?? 0;
  }

  connect() {
    this.#kulkul.connect();
  }

  /** One listener a type; a later one takes its place. @param {string} type @param {(frame: any) => void} handler */
  on(type, handler) {
    this.handlers[type] = handler;
  }

  /** @param {string} type @param {any} payload @param {string} [room] */
  send(type, payload, room = "") {
    const client = this.#kulkul;
    const named = room || payload?.room_id;
    if (type === "join_room" && typeof named === "string" && named !== "") client.join(named);
    else if (type === "leave_room" && typeof named === "string" && named !== "") client.room(named).leave();
    else if (type === "send_message" && room && client.room(room).isWanted) client.room(room).send(payload);
    else this.#say({ type, payload, room: room || undefined });
  }

  /** @param {string} roomId */
  joinRoom(roomId) {
    this.send("join_room", { room_id: roomId });
  }

  /** @param {string} roomId */
  leaveRoom(roomId) {
    this.send("leave_room", { room_id: roomId });
  }

  /** @param {string} roomId @param {string} content */
  sendMessage(roomId, content) {
    this.send("send_message", { content }, roomId);
  }

  disconnect() {
    this.#client?.disconnect();
  }

  /** Made late, so that its fields may be set before. */
  get #kulkul() {
    if (this.#client) return this.#client;
    const { maxReconnectAttempts, token } = this;
    const client = new Kulkul(this.url, { maxReconnectAttempts, token, ...this.options });
    client.on("frame", (frame) => this.handlers[frame.type]?.(frame));
    client.on("state", ({ state }) => {
      if (state !== "open" && state !== "catching-up") return;
      for (const frame of this.#early.splice(0)) client.say(frame);
    });
    this.#client = client;
    return client;
  }

  /** @param {Frame} frame */
  #say(frame) {
    if (!this.#kulkul.say(frame) && this.#early.length < EARLY_MAX) this.#early.push(frame);
  }
}
