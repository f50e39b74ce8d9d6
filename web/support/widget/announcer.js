// What a screen reader hears: each message as it comes, a number where many come at once, and how the conversation stands.

import { $, make } from "../../elements.js";
import { spoken } from "./message.js";

/** @typedef {import("../../../clients/js/src/types.d.ts").Message} Message */

/** More at once than this are counted and not read out. */
const READ_OUT_MAX = 3;
const TOGETHER_MS = 600;
/** Lines that stay for a reader which is behind; they are read once. */
const LINES_MAX = 5;

export class Announcer {
  /** @type {string[]} */
  #messages = [];
  #standing = "";
  /** What was said last of how it stands. */
  #told = "";
  #timer = 0;

  /** @param {Message} message */
  arrived(message) {
    this.#messages.push(spoken(message));
    this.#soon();
  }

  /** @param {string} words */
  stands(words) {
    if (words === this.#told) return;
    this.#told = this.#standing = words;
    this.#soon();
  }

  #soon() {
    this.#timer ||= setTimeout(() => {
      const many = this.#messages.length > READ_OUT_MAX;
      const lines = [this.#standing, ...(many ? [`${this.#messages.length} new messages`] : this.#messages)].filter((line) => line !== "");
      $("heard").append(...lines.map((line) => make("span", {}, /[.!?…]$/.test(line) ? `${line} ` : `${line}. `)));
      while ($("heard").childElementCount > LINES_MAX) $("heard").firstElementChild?.remove();
      this.#messages = [];
      this.#standing = "";
      this.#timer = 0;
    }, TOGETHER_MS);
  }
}
