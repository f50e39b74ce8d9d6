// What a screen reader hears of the room that is shown: each message as it comes, and a number where many come at once.

import { $, make } from "../elements.js";
import { beginning } from "./message.js";

/** @typedef {import("../client/index.js").Room} Room */

/** More at once than this are counted and not read out. */
const READ_OUT_MAX = 3;
const TOGETHER_MS = 800;
/** Lines that stay for a reader which is behind; they are read once. */
const LINES_MAX = 5;

export class Announcer {
  /** @param {{id: string}} me */
  constructor(me) {
    this.me = me;
    /** @type {string[]} */
    this.waiting = [];
    this.count = 0;
    this.timer = 0;
    this.stop = () => {};
  }

  /** @param {Room} room */
  show(room) {
    this.stop();
    this.waiting = [];
    this.count = 0;
    this.stop = room.on("message", ({ sender, payload }) => {
      if (sender?.id === this.me.id) return;
      this.count += 1;
      if (this.waiting.length <= READ_OUT_MAX) this.waiting.push(`${sender?.name ?? "The room"}: ${beginning(String(payload.content))}`);
      this.timer ||= setTimeout(() => this.tell(), TOGETHER_MS);
    });
  }

  tell() {
    this.timer = 0;
    if (this.count === 0) return;
    const lines = this.count > READ_OUT_MAX ? [`${this.count} new messages`] : this.waiting;
    $("heard").append(...lines.map((line) => make("span", {}, `${line}. `)));
    while ($("heard").childElementCount > LINES_MAX) $("heard").firstElementChild?.remove();
    this.waiting = [];
    this.count = 0;
  }
}
