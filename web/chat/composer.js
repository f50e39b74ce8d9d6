// What one is about to say: a draft for each room, what it answers or changes, and why it cannot be said just now.

import { bytesOf, encode, randomId } from "../client/codec.js";
import { FRAME_BYTES_MAX } from "../client/outgoing.js";
import { $, duration, tell } from "../elements.js";
import { toast } from "../overlays.js";
import { beginning } from "./message.js";
import { ofRefusal } from "./words.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Message} Message */
/** @typedef {import("../client/index.js").Room} Room */

const ROWS_MAX = 6;
/** What chat takes of one text, however few bytes its frame has. */
const CHARACTERS_MAX = 4000;
/** Below this many one is told how many are left. */
const TELL_LEFT = 400;
const DRAFTS = "kulkul.drafts";
/** Rooms with a draft; the oldest go first. */
const DRAFTS_MAX = 50;
/** Roles that slow mode does not slow. */
const FREE = new Set(["owner", "moderator", "warden"]);

/** Of the length of every id that will be. */
const AN_ID = randomId();

export class Composer {
  /** @param {{id: string}} me @param {{lastOwn: () => Message | undefined, said: () => void, toMessages: () => void}} around */
  constructor(me, around) {
    this.me = me;
    this.around = around;
    this.field = /** @type {HTMLTextAreaElement} */ ($("say"));
    /** @type {Room | null} */
    this.room = null;
    /** @type {{does: "reply" | "edit", message: Message} | null} */
    this.context = null;
    /** @type {Map<string, string>} */
    this.drafts = new Map();
    /** @type {Map<Room, number>} until when slow mode holds one up, by this machine's clock */
    this.slow = new Map();
    /** @type {(() => void)[]} */
    this.listening = [];
    try {
      this.drafts = new Map(JSON.parse(sessionStorage.getItem(DRAFTS) ?? "[]"));
    } catch {
      // Storage may be turned off; then a draft does not outlive the page.
    }
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.say();
    });
    this.field.addEventListener("keydown", (event) => this.pressed(event));
    this.field.addEventListener("input", () => {
      this.grow();
      this.keep();
      this.check();
      if (this.context?.does === "edit" || this.field.value.trim() === "") this.room?.stopTyping();
      else this.room?.startTyping();
    });
    this.field.addEventListener("blur", () => this.room?.stopTyping());
    $("context-end").addEventListener("click", () => this.cancel());
    setInterval(() => this.check(), 500);
  }

  /** @param {Room} room */
  show(room) {
    for (const stop of this.listening) stop();
    this.room?.stopTyping();
    // Whoever was quicker than the page has begun to write already.
    const begun = this.room ? "" : this.field.value;
    this.room = room;
    this.context = null;
    this.listening = [room.on("state", () => this.check()), room.on("about", () => this.check())];
    this.field.value = this.drafts.get(room.name) ?? begun;
    this.tellContext();
    this.grow();
    this.check();
  }

  /** @param {Message} message */
  reply(message) {
    if (this.context?.does === "edit") this.field.value = "";
    this.context = { does: "reply", message };
    this.begin();
  }

  /** @param {Message} message */
  edit(message) {
    this.context = { does: "edit", message };
    this.field.value = String(message.payload.content);
    this.begin();
  }

  begin() {
    this.tellContext();
    this.grow();
    this.check();
    this.field.focus();
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  /** Back to what was written before, if anything was. */
  cancel() {
    if (this.context?.does === "edit") this.field.value = this.drafts.get(this.room?.name ?? "") ?? "";
    this.context = null;
    this.begin();
  }

  tellContext() {
    const { context } = this;
    $("context").hidden = context === null;
    $("send").textContent = context?.does === "edit" ? "Save" : "Send";
    if (!context) return;
    const { sender, payload } = context.message;
    const of = beginning(String(payload.content));
    tell("context-words", context.does === "edit" ? `Editing: ${of}` : `Replying to ${sender?.name ?? "the room"}: ${of}`);
    $("context-end").setAttribute("aria-label", context.does === "edit" ? "Do not edit" : "Do not reply");
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      /** @type {HTMLFormElement} */ ($("composer")).requestSubmit();
    } else if (event.key === "Escape" && this.context) {
      event.preventDefault();
      this.cancel();
    } else if (event.key === "ArrowUp" && event.altKey) {
      event.preventDefault();
      this.around.toMessages();
    } else if (event.key === "ArrowUp" && this.field.value === "" && !this.context) {
      const own = this.around.lastOwn();
      if (own) {
        event.preventDefault();
        this.edit(own);
      }
    }
  }

  async say() {
    const { room, context } = this;
    const content = this.field.value.trim();
    if (!room || content === "" || this.hindrance(room) !== "") return this.check();
    const reply = context?.does === "reply" ? context.message.id : undefined;
    // What does not fit stays where it was written; why stands beside it.
    if (this.left(room, content) < 0) return this.check();
    this.field.value = "";
    this.context = null;
    room.stopTyping();
    if (context?.does === "edit") this.field.value = this.drafts.get(room.name) ?? "";
    else this.drafts.delete(room.name);
    this.keep(context?.does === "edit");
    this.tellContext();
    this.grow();
    this.check();
    try {
      if (context?.does === "edit") {
        if (content !== context.message.payload.content) await room.edit(context.message.id, { ...without(context.message.payload), content });
      } else {
        const done = room.send(content, { replyTo: reply });
        this.around.said();
        await done;
        const seconds = room.about?.slow_mode_seconds ?? 0;
        if (seconds > 0 && !FREE.has(room.about?.role ?? "guest")) this.hold(room, seconds * 1000);
      }
    } catch (error) {
      const refusal = /** @type {any} */ (error);
      if (refusal.code === "SLOW_MODE") this.hold(room, refusal.retryAfterMs ?? 1000);
      // A message that was not sent says so itself, where it stands.
      if (context?.does === "edit") toast(`Your change was not stored. ${ofRefusal(refusal)}`);
      else if (refusal.code === "QUEUE_FULL") toast(ofRefusal(refusal));
    }
  }

  /** @param {Room} room @param {number} ms */
  hold(room, ms) {
    this.slow.set(room, Date.now() + ms);
    this.check();
  }

  /** Why nothing can be said now; "" if something can. @param {Room} room */
  hindrance(room) {
    const until = room.about?.muted_until;
    if (until === "forever") return "You are muted here until a moderator lets you speak again.";
    const left = until ? new Date(until).getTime() - Date.now() : 0;
    if (left > 0) return `You are muted here for ${duration(left)} more.`;
    if (this.context?.does === "edit") return "";
    const slow = room.about?.slow_mode_seconds === 0 ? 0 : (this.slow.get(room) ?? 0) - Date.now();
    return slow > 0 ? `Slow mode: you can speak again in ${duration(slow)}.` : "";
  }

  /** How many plain letters more the message takes; below zero: so many characters are too many.
   * @param {Room} room @param {string} content */
  left(room, content) {
    const { context } = this;
    const id = context?.message.id;
    const frame = context?.does === "edit"
      ? { type: "edit_message", payload: { ...without(context.message.payload), content: "", message_id: id } }
      : { type: "send_message", payload: { content: "", reply_to: id } };
    return fits(content, FRAME_BYTES_MAX - bytesOf(encode({ ...frame, room: room.name, id: AN_ID })));
  }

  check() {
    const { room } = this;
    if (!room) return;
    const left = this.left(room, this.field.value.trim());
    const characters = Math.abs(left) === 1 ? "1 character" : `${Math.abs(left).toLocaleString()} characters`;
    const long = left < 0 ? `That is ${characters} too long for one message. Shorten it, or say it in two.` : "";
    tell("left", left >= 0 && left < TELL_LEFT ? `Room for ${characters} more; signs and letters beyond a to z take the place of two to four.` : "");
    const out = room.state === "refused";
    const hindrance = out ? "" : this.hindrance(room);
    const words = hindrance || long;
    if ($("note").textContent !== words) tell("note", words);
    const isMuted = hindrance.startsWith("You are muted");
    const send = /** @type {HTMLButtonElement} */ ($("send"));
    send.disabled = out || hindrance !== "";
    if (this.field.disabled !== (out || isMuted)) this.field.disabled = out || isMuted;
  }

  /** The draft of this room. An edit is none. */
  keep(always = false) {
    if (!this.room || (this.context?.does === "edit" && !always)) return;
    const { name } = this.room;
    this.drafts.delete(name);
    if (this.field.value !== "") this.drafts.set(name, this.field.value);
    if (this.drafts.size > DRAFTS_MAX) this.drafts.delete(/** @type {string} */ (this.drafts.keys().next().value));
    try {
      sessionStorage.setItem(DRAFTS, JSON.stringify([...this.drafts]));
    } catch {
      // As above.
    }
  }

  grow() {
    const { field } = this;
    field.rows = 1;
    while (field.rows < ROWS_MAX && field.scrollHeight > field.clientHeight + 2) field.rows += 1;
  }
}

/** How many bytes are left beside a text; below zero: how many of its characters do not fit.
 * @param {string} content @param {number} bytes that its frame has for it */
function fits(content, bytes) {
  let [all, kept] = [0, 0];
  for (const character of content) {
    all += 1;
    // Behind the first one that does not fit they are counted alone.
    if (kept < all - 1 || kept === CHARACTERS_MAX) continue;
    const size = bytesOf(JSON.stringify(character)) - 2;
    if (size > bytes) continue;
    bytes -= size;
    kept += 1;
  }
  return kept < all ? kept - all : Math.min(bytes, CHARACTERS_MAX - kept);
}

/** A payload as its author sent it. @param {import("../../clients/js/src/types.d.ts").MessagePayload} payload */
function without({ changes: _, ...payload }) {
  return payload;
}
