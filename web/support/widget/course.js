// How a conversation stands, in the strips above what is said and in the card that takes the composer's place when it is over; and
// what its customer can do about it.

import { $, duration, tell } from "../../elements.js";
import { ask, open, toast } from "../../overlays.js";
import { transcript } from "./calls.js";
import { kept } from "./kept.js";
import { date, ofEnd, ofPlace, ofRefusal } from "./words.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */

/** For so long a server lets one go on, unless it is configured otherwise. */
const REOPEN_MS = 24 * 3_600_000;
const TICK_MS = 1000;

const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ ($(id));

export class Course {
  /** @type {Conversation | null} */
  #of = null;
  #timer = 0;
  /** The server has said that it is too late. */
  #isFinal = false;

  /** @param {() => void} anew */
  constructor(anew) {
    $("still-here").addEventListener("click", () => this.#does("still_here").then(() => $("say").focus()));
    $("reopen").addEventListener("click", () => this.#reopen());
    $("anew").addEventListener("click", anew);
    $("contact-open").addEventListener("click", () => this.contact());
    $("contact-skip").addEventListener("click", () => {
      if (this.#of) kept.change(this.#of.session.id, { anonymous: true });
      this.render();
      $("say").focus();
    });
    $("rating").addEventListener("change", () => ($("rating-more").hidden = false));
    $("rating").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#rate();
    });
    $("contact-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#leaveContact();
    });
  }

  /** @param {Conversation} conversation */
  show(conversation) {
    this.#of = conversation;
    this.#isFinal = false;
    /** @type {HTMLFormElement} */ ($("rating")).reset();
    $("rating-more").hidden = true;
    this.render();
  }

  /** What is said of it, in a line. */
  words() {
    const { about, isLost, isAlone } = this.#of ?? {};
    if (isLost) return "It does not open any more";
    if (!about) return "Connecting…";
    if (about.status === "waiting") return ofPlace(about.queue_position);
    if (about.status === "closed") return "This conversation has ended";
    if (!about.agent) return "You are being answered";
    return isAlone ? `${about.agent.name} is away for a moment` : `${about.agent.name} is with you`;
  }

  render() {
    const of = this.#of;
    if (!of) return;
    const { about, isLost } = of;
    const status = isLost ? "lost" : about?.status;
    const isOver = status === "closed" || status === "lost";
    $("waiting").hidden = status !== "waiting";
    tell("place", ofPlace(about?.queue_position));
    $("alone").hidden = status !== "active" || !of.isAlone;
    tell("alone-words", `${about?.agent?.name ?? ""} is away for a moment. What you write is read all the same.`);
    const asks = !isOver && about?.requires_contact === true && !kept.session(of.session.id)?.anonymous && of.room.messages.length > 0;
    $("contact").hidden = !asks || (status === "active" && about?.closes_at !== undefined);
    this.#tellWarning();
    $("composer").hidden = isOver;
    $("over").hidden = !isOver;
    if (isOver) this.#tellOver(status === "lost");
  }

  #tellWarning() {
    clearTimeout(this.#timer);
    const { about, isLost } = this.#of ?? {};
    const closes = !isLost && about?.status === "active" && about.closes_at ? new Date(about.closes_at).getTime() : null;
    $("warned").hidden = closes === null;
    if (closes === null) return;
    const left = closes - Date.now();
    tell("warned-words", left > 0 ? `This conversation ends in ${duration(left).replace(" ", "\u00a0")}, unless you answer.` : "This conversation ends now, unless you answer.");
    this.#timer = setTimeout(() => this.#tellWarning(), TICK_MS);
  }

  /** @param {boolean} isLost */
  #tellOver(isLost) {
    const { about, session } = /** @type {Conversation} */ (this.#of);
    const { rating } = kept.session(session.id) ?? session;
    const since = Date.now() - new Date(about?.closed_at ?? 0).getTime();
    tell("over-words", isLost ? "This conversation cannot be opened any more: its key has ended. Start a new one; what you wrote goes with you." : ofEnd(about ?? {}));
    $("rating").hidden = isLost || rating !== undefined;
    tell("rated", isLost || rating === undefined ? "" : `Thank you. You gave it ${rating} of 5.`);
    $("reopen").hidden = isLost || this.#isFinal || since > REOPEN_MS;
  }

  /** @param {string} word @param {object} [payload] whether it was done */
  async #does(word, payload) {
    try {
      return await this.#of?.act(word, payload) ?? true;
    } catch (error) {
      toast(ofRefusal(/** @type {any} */ (error)));
      return null;
    }
  }

  async #reopen() {
    const of = this.#of;
    try {
      await of?.act("reopen");
      $("say").focus();
    } catch (error) {
      const { code, message } = /** @type {any} */ (error);
      this.#isFinal = code === "SESSION_CLOSED";
      toast(this.#isFinal ? "It is too late to continue this one. Start a new one." : ofRefusal(/** @type {any} */ ({ code, message })));
      this.render();
    }
  }

  async #rate() {
    const of = this.#of;
    const rating = Number(new FormData(/** @type {HTMLFormElement} */ ($("rating"))).get("rating"));
    const feedback = field("feedback").value.trim();
    if (!of || !rating || (await this.#does("rate", { rating, feedback: feedback || undefined })) === null) return;
    kept.change(of.session.id, { rating });
    this.render();
    $("anew").focus();
  }

  contact() {
    const { me } = /** @type {Conversation} */ (this.#of);
    if (field("contact-name").value === "") field("contact-name").value = kept.now.name || (me.name === "Guest" ? "" : me.name);
    tell("contact-trouble", "");
    open("contact-dialog");
    (field("contact-name").value === "" ? field("contact-name") : field("contact-email")).focus();
  }

  async #leaveContact() {
    const [contact_name, contact_email, phone] = ["name", "email", "phone"].map((name) => field(`contact-${name}`).value.trim());
    try {
      await this.#of?.act("set_contact", { contact_name, contact_email, contact_phone: phone || undefined });
      /** @type {HTMLDialogElement} */ ($("contact-dialog")).close();
      toast("Thank you. We know where to reach you.");
      $("say").focus();
    } catch (error) {
      const { code, message } = /** @type {any} */ (error);
      const isAddress = code === "INVALID_PAYLOAD" && /contact_email/.test(message);
      tell("contact-trouble", isAddress ? "That is no e-mail address: it has an @, and behind it a name with a dot." : ofRefusal(/** @type {any} */ (error)));
      if (isAddress) field("contact-email").focus();
    }
  }

  async person() {
    const answer = await this.#does("request_escalation");
    if (answer?.message) toast(answer.message);
  }

  async end() {
    const sure = await ask({ title: "End this conversation?", words: "You can continue it for a day, and read it as long as this browser remembers it.", does: "End it" });
    if (sure === null || (await this.#does("close")) === null) return;
    $("over-words").focus();
  }

  /** A file with a page in it: it prints, and opens without this server. */
  async save() {
    const { session } = /** @type {Conversation} */ (this.#of);
    try {
      const address = URL.createObjectURL(await transcript(session.id, session.token));
      const link = Object.assign(document.createElement("a"), { href: address, download: `conversation-${session.at.slice(0, 10)}.html` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      toast(`Saved as ${link.download}, of ${date(new Date(session.at))}. Open it to print it.`);
    } catch (error) {
      toast(ofRefusal(/** @type {any} */ (error)));
    }
  }
}
