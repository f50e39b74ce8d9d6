// What one is about to say in a chat. A message and a note are two drafts in two fields of two looks: what was begun as the one is
// never sent as the other.

import { bytesOf, encode, randomId } from "../client/codec.js";
import { FRAME_BYTES_MAX } from "../client/outgoing.js";
import { button, make } from "../elements.js";
import { menu, toast } from "../overlays.js";
import { editReplies, filled, replies } from "./replies.js";
import { called, ofRefusal } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {"message" | "note"} Mode */

const ROWS_MAX = 7;
const MESSAGE_CHARS_MAX = 4000;
const NOTE_CHARS_MAX = 2000;
const DRAFTS = "kulkul.desk.drafts";
/** Chats with a draft; the oldest go first. */
const DRAFTS_MAX = 100;
/** Beside a field, not as a menu: so many of them can be read. */
const MEANT_MAX = 3;
/** Of the length of every id that will be. */
const AN_ID = randomId();

export class Composer {
  /** @param {{id: string, name: string}} me @param {{said: () => void, toMessages: () => void, take: () => void}} around */
  constructor(me, around) {
    this.me = me;
    this.around = around;
    /** @type {Session | null} */
    this.session = null;
    /** @type {Map<string, string>} by mode and chat */
    this.drafts = new Map();
    /** @type {Map<string, Mode>} as one has chosen, by chat */
    this.chosen = new Map();
    this.noting = false;
    try {
      this.drafts = new Map(JSON.parse(sessionStorage.getItem(DRAFTS) ?? "[]"));
    } catch {
      // Storage may be turned off; then a draft does not outlive the page.
    }
    this.modes = make("div", { class: "modes", role: "radiogroup", "aria-label": "Who reads it" }, this.choice("message", "To the customer"), this.choice("note", "Note", ": only the staff sees it"));
    this.field = /** @type {HTMLTextAreaElement} */ (make("textarea", { id: "say", rows: "1", enterkeyhint: "send", autocomplete: "off", "aria-describedby": "say-keys" }));
    this.label = make("label", { class: "out", for: "say" });
    this.send = /** @type {HTMLButtonElement} */ (make("button", { type: "submit", id: "send" }));
    this.trouble = make("p", { class: "trouble", role: "status", hidden: true });
    this.meant = make("p", { class: "meant hint", id: "meant", hidden: true });
    this.replies = button("Replies", (event) => this.offer(/** @type {HTMLElement} */ (event.currentTarget)), { class: "bare", id: "replies", "aria-haspopup": "menu", title: "Your replies (Alt R)" });
    this.keys = make("p", { class: "keys hint", id: "say-keys" }, make("kbd", {}, "Enter"), " sends, ", make("kbd", {}, "Alt"), " ", make("kbd", {}, "N"), " changes between message and note, ", make("kbd", {}, "/word"), " ", make("kbd", {}, "Tab"), " is a reply");
    this.element = make("form", { class: "composer", id: "composer", "data-mode": "message" },
      make("div", { class: "composer-head" }, this.modes, this.replies), this.trouble, this.meant,
      make("div", { class: "say" }, this.label, this.field, this.send), this.keys);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.say();
    });
    this.field.addEventListener("keydown", (event) => this.pressed(event));
    this.field.addEventListener("input", () => this.wrote());
    this.field.addEventListener("blur", () => this.session?.room.stopTyping());
  }

  /** @param {Mode} mode @param {string} words @param {string} [more] where there is place for it */
  choice(mode, words, more) {
    const input = make("input", { type: "radio", name: "mode", value: mode, id: `mode-${mode}`, onchange: () => this.turn(mode) });
    return make("label", { class: "mode" }, input, make("span", {}, words, more && make("i", { class: "mode-more" }, more)));
  }

  /** @param {Session | null} session */
  show(session) {
    this.session?.room.stopTyping();
    this.session = session;
    this.fill();
    this.check();
  }

  /** Whoever is not the agent begins with a note: nobody speaks to a customer by mistake. @returns {Mode} */
  get mode() {
    const { session } = this;
    if (!session || !this.maySpeak) return "note";
    return this.chosen.get(session.id) ?? (session.isMine ? "message" : "note");
  }

  get maySpeak() {
    const { session } = this;
    return Boolean(session && !session.isOver && (session.isMine || session.about.role === "supervisor"));
  }

  /** @param {Mode} mode */
  turn(mode) {
    const { session } = this;
    if (!session || (mode === "message" && !this.maySpeak)) return;
    session.room.stopTyping();
    this.chosen.set(session.id, mode);
    this.fill();
    this.check();
    this.field.focus();
  }

  get key() {
    return `${this.mode} ${this.session?.id}`;
  }

  fill() {
    this.shown = this.key;
    this.field.value = this.drafts.get(this.key) ?? "";
    this.grow();
    this.suggest();
  }

  wrote() {
    this.grow();
    this.keep();
    this.check();
    this.suggest();
    if (this.mode === "message" && this.field.value.trim() !== "") this.session?.room.startTyping();
    else this.session?.room.stopTyping();
  }

  /** What the field is for now, and why it may not be. */
  check() {
    const { session, mode } = this;
    this.element.hidden = !session || session.room.state === "refused";
    if (!session) return;
    // Whose chat it is may have changed while one wrote: the draft stays what it was begun as.
    if (this.shown !== this.key) this.fill();
    const isNote = mode === "note";
    this.element.dataset.mode = mode;
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (this.modes.querySelectorAll("input"))) {
      input.checked = input.value === mode;
      input.disabled = input.value === "message" && !this.maySpeak;
    }
    const name = called(session.about.customer);
    const label = isNote ? "Note, only the staff sees it" : session.isMine ? `Message to ${name}` : `Message to ${name}, as ${this.me.name}`;
    this.label.textContent = label;
    this.field.placeholder = isNote ? "For the staff only" : `Write to ${name}`;
    this.send.textContent = isNote ? (this.noting ? "Adding…" : "Add note") : "Send";
    this.send.disabled = this.noting;
    this.field.readOnly = this.noting;
    this.replies.hidden = isNote;
    const words = this.tooLong() || (this.maySpeak ? "" : this.outsider(session));
    if (this.trouble.textContent !== words) this.trouble.textContent = words;
    this.trouble.classList.toggle("mild", words !== "" && this.tooLong() === "");
    this.trouble.hidden = words === "";
  }

  /** @param {Session} session */
  outsider(session) {
    if (session.room.state !== "open" && !session.about.status) return "";
    if (session.isOver) return "This chat is closed. A note can still be added.";
    const { agent } = session.about;
    return `Only its agent speaks to the customer${agent ? `, and that is ${agent.name}` : ": take the chat to answer"}. Your notes are for the staff.`;
  }

  tooLong() {
    const text = this.field.value.trim();
    const max = this.mode === "note" ? NOTE_CHARS_MAX : MESSAGE_CHARS_MAX;
    if ([...text].length > max) return `That is ${([...text].length - max).toLocaleString()} characters too long. Shorten it, or say it in two.`;
    const payload = this.mode === "note" ? { note: text } : { message: text };
    const over = bytesOf(encode({ type: "send_message", room: this.session?.room.name, id: AN_ID, payload })) - FRAME_BYTES_MAX;
    return over > 0 ? `That is too long for one message by about ${over} letters. Shorten it, or say it in two.` : "";
  }

  async say() {
    const { session, mode, key } = this;
    const text = this.field.value.trim();
    if (!session || text === "" || this.noting || this.tooLong() !== "") return this.check();
    if (mode === "note") return this.note(session, text);
    this.drafts.delete(key);
    this.fill();
    this.keep();
    session.room.stopTyping();
    this.check();
    const sent = session.room.send({ message: text });
    this.around.said();
    try {
      await sent;
      // How long the customer waited for a first answer is known now, and not told.
      if (session.isMine && session.about.first_response_ms === null) await session.refresh();
    } catch (error) {
      // A message that was not sent says so itself, where it stands.
      if (/** @type {any} */ (error).code === "QUEUE_FULL") toast(ofRefusal(error));
    }
  }

  /** A note stays in its field until it is stored. @param {Session} session @param {string} text */
  async note(session, text) {
    this.noting = true;
    this.check();
    try {
      await session.room.act("add_note", { note: text });
      this.drafts.delete(`note ${session.id}`);
      this.around.said();
    } catch (error) {
      toast(`The note was not added. ${ofRefusal(error)}`);
    }
    this.noting = false;
    if (this.session === session) this.fill();
    this.keep();
    this.check();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      /** @type {HTMLFormElement} */ (this.element).requestSubmit();
    } else if (event.key === "Tab" && !event.shiftKey && this.mode === "message") {
      const put = replies.expanded(this.field.value, this.field.selectionStart, called(this.session?.about.customer));
      if (!put) return;
      event.preventDefault();
      this.put(put.text, put.caret);
    } else if (event.key === "ArrowUp" && this.field.value === "") {
      event.preventDefault();
      this.around.toMessages();
    }
  }

  /** @param {string} text @param {number} caret */
  put(text, caret) {
    this.field.value = text;
    this.field.setSelectionRange(caret, caret);
    this.wrote();
    this.field.focus();
  }

  /** The replies, to choose from. @param {HTMLElement} beside */
  offer(beside = this.replies) {
    if (this.mode !== "message") return;
    const name = called(this.session?.about.customer);
    const at = this.field.selectionStart;
    menu(beside, [
      ...replies.all.map((reply) => ({
        words: `/${reply.word}  ${filled(reply, name).slice(0, 60)}`,
        does: () => {
          const text = filled(reply, name);
          this.put(this.field.value.slice(0, at) + text + this.field.value.slice(at), at + text.length);
        },
      })),
      { words: "Edit replies…", does: () => editReplies() },
    ], "offered");
  }

  /** What the word at the caret would become. */
  suggest() {
    const meant = this.mode === "message" ? replies.meant(this.field.value.slice(0, this.field.selectionStart)) : [];
    this.meant.hidden = meant.length === 0;
    const name = called(this.session?.about.customer);
    this.meant.replaceChildren(...meant.slice(0, MEANT_MAX).map((reply, index) =>
      make("span", { class: "reply-hint" }, index === 0 && make("kbd", {}, "Tab"), " ", make("b", {}, `/${reply.word}`), ` ${filled(reply, name)}`)));
  }

  keep() {
    if (!this.session) return;
    if (!this.noting) {
      this.drafts.delete(this.key);
      if (this.field.value !== "") this.drafts.set(this.key, this.field.value);
    }
    if (this.drafts.size > DRAFTS_MAX) this.drafts.delete(/** @type {string} */ (this.drafts.keys().next().value));
    try {
      sessionStorage.setItem(DRAFTS, JSON.stringify([...this.drafts]));
    } catch {
      // As above.
    }
  }

  /** Whether something was begun in a chat. @param {string} id */
  hasDraft(id) {
    return this.drafts.has(`message ${id}`) || this.drafts.has(`note ${id}`);
  }

  grow() {
    const { field } = this;
    field.rows = 1;
    while (field.rows < ROWS_MAX && field.scrollHeight > field.clientHeight + 2) field.rows += 1;
  }
}
