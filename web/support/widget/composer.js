// What one is about to say: kept until it is sent, and why it cannot be sent just now.

import { bytesOf, encode, randomId } from "../../client/codec.js";
import { FRAME_BYTES_MAX } from "../../client/outgoing.js";
import { $, tell } from "../../elements.js";
import { kept } from "./kept.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */

const ROWS_MAX = 5;
/** What support takes of one text, however few bytes its frame has. */
const CHARACTERS_MAX = 4000;
/** Of the length of every id that will be. */
const AN_ID = randomId();

export class Composer {
  #field = /** @type {HTMLTextAreaElement} */ ($("say"));
  /** @type {Conversation | null} */
  #of = null;

  /** @param {() => void} said */
  constructor(said) {
    const field = this.#field;
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#send()) said();
      field.focus();
    });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      /** @type {HTMLFormElement} */ ($("composer")).requestSubmit();
    });
    field.addEventListener("input", () => {
      this.#changed();
      if (field.value.trim() === "") this.#of?.room.stopTyping();
      else this.#of?.room.startTyping();
    });
    field.addEventListener("blur", () => this.#of?.room.stopTyping());
  }

  /** @param {Conversation} conversation */
  show(conversation) {
    this.#of = conversation;
    if (this.#field.value === "") this.#field.value = kept.now.draft;
    this.#changed();
  }

  /** What was written and not said, for whoever goes on with it elsewhere. */
  take() {
    const { value } = this.#field;
    this.#field.value = "";
    this.#changed();
    return value;
  }

  #send() {
    const of = this.#of;
    const message = this.#field.value.trim();
    if (!of || message === "" || tooLong(message) !== "") return false;
    this.#field.value = "";
    of.room.stopTyping();
    this.#changed();
    // What was not stored says so itself, where it stands.
    of.room.send({ message }).catch(() => {});
    return true;
  }

  #changed() {
    const { value } = this.#field;
    kept.keep({ draft: value });
    tell("note", tooLong(value.trim()));
    /** @type {HTMLButtonElement} */ ($("send")).disabled = value.trim() === "";
    this.#field.rows = 1;
    while (this.#field.rows < ROWS_MAX && this.#field.scrollHeight > this.#field.clientHeight + 2) this.#field.rows += 1;
  }
}

/** A room's name is as long as any other's. */
const A_ROOM = `support:${"0".repeat(36)}`;

/** Why it does not fit into one message; "" if it does. @param {string} message */
export function tooLong(message) {
  const bytes = bytesOf(encode({ type: "send_message", room: A_ROOM, id: AN_ID, payload: { message } }));
  const over = Math.max(bytes - FRAME_BYTES_MAX, [...message].length - CHARACTERS_MAX);
  return over > 0 ? `That is too long for one message by about ${over.toLocaleString()} characters. Shorten it, or say it in two.` : "";
}
