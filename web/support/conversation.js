// The middle of both pages: one chat, who it is with, what was said, what one says, and what one may do with it.

import { $, button, colour, make, tell } from "../elements.js";
import { menu } from "../overlays.js";
import { Composer } from "./composer.js";
import { Timeline } from "./timeline.js";
import { called, clock, ofReason } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./doings.js").Doings} Doings */

export class Conversation {
  /** @param {HTMLElement} host @param {{id: string, name: string}} me @param {Doings} doings @param {() => void} back @param {() => void} details */
  constructor(host, me, doings, back, details) {
    this.me = me;
    this.doings = doings;
    /** @type {Session | null} */
    this.session = null;
    this.face = make("span", { class: "face", "aria-hidden": "true" });
    this.title = make("h1", { id: "talk-title" });
    this.topic = make("p", { class: "topic" });
    this.chips = make("p", { class: "chips", id: "chips" });
    this.take = button("Take", () => this.session && void doings.take(this.session.id), { id: "take", title: "Take this chat (Alt P)" });
    this.reopen = button("Open again", () => this.session && void doings.reopen(this.session), { class: "quiet", id: "reopen" });
    this.hand = button("Hand on…", () => this.session && void doings.transfer(this.session), { class: "quiet", id: "transfer", title: "Hand this chat on (Alt T)" });
    this.close = button("Close…", () => this.session && void doings.close(this.session), { class: "quiet", id: "close", title: "Close this chat (Alt C)" });
    this.more = button("⋯", (event) => this.offer(/** @type {HTMLElement} */ (event.currentTarget)), { class: "bare", id: "more", "aria-label": "More to do with this chat", "aria-haspopup": "menu" });
    this.timeline = new Timeline(me);
    this.typing = make("p", { class: "typing", id: "typing", "aria-live": "polite" }, "\u00a0");
    this.composer = new Composer(me, {
      said: () => this.timeline.place.toEnd(),
      toMessages: () => this.timeline.focus(),
      take: () => this.session && void doings.take(this.session.id),
    });
    this.empty = make("div", { class: "empty", id: "empty" });
    const head = make("header", { class: "talk-head" },
      button("‹", back, { class: "bare back", id: "back", "aria-label": "Back to the lists" }), this.face,
      make("div", { class: "talk-name" }, this.title, this.topic), this.chips,
      make("div", { class: "talk-do" }, this.take, this.reopen, this.hand, this.close,
        button("Details", details, { class: "bare middling", id: "show-details" }), this.more));
    this.inside = make("div", { class: "talk-inside", hidden: true }, head, this.timeline.element, this.typing, this.composer.element);
    host.append(this.empty, this.inside);
  }

  /** @param {Session | null} session */
  show(session) {
    this.session = session;
    this.inside.hidden = !session;
    this.empty.hidden = Boolean(session);
    this.timeline.show(session);
    this.composer.show(session);
    this.render();
    this.types();
  }

  /** What is new in the chat that is shown. @param {string} what */
  changed(what) {
    if (what === "typing") return this.types();
    this.timeline.soon(what);
    if (what !== "messages" && what !== "customer") this.composer.check();
    this.render();
  }

  render() {
    const { session } = this;
    if (!session) return;
    const { about, isMine, isOver } = session;
    const customer = { id: about.customer?.id ?? session.id, name: called(about.customer) };
    colour(this.face, customer);
    this.face.classList.toggle("here", session.isHere);
    tell(this.title, customer.name);
    this.topic.textContent = about.topic || "No topic was given";
    const chips = /** @type {[string, string][]} */ ([]);
    if (about.priority && about.priority !== "normal") chips.push([about.priority, about.priority]);
    if (about.status === "waiting") chips.push(["waiting", "waits"]);
    if (about.agent && !isMine) chips.push(["agent", `with ${about.agent.name}${about.agent_away ? ", who is gone" : ""}`]);
    if (isMine && session.turn === "us" && !isOver) chips.push(["turn", "your turn"]);
    if (isMine && about.agent_away) chips.push(["waiting", "you were gone"]);
    if (about.closes_at && !isOver) chips.push(["waiting", `closes at ${clock(about.closes_at)} unless the customer answers`]);
    if (isOver) chips.push(["closed", `closed: ${ofReason(about.reason ?? "")}`]);
    if (about.rated) chips.push(["rated", `${"★".repeat(about.rated.rating)}${"☆".repeat(5 - about.rated.rating)}`]);
    const told = chips.map(([kind, words]) => make("span", { class: `chip ${kind}` }, words));
    this.chips.replaceChildren(...told);
    const isKnown = Boolean(about.status);
    const leads = about.role === "supervisor";
    this.take.hidden = !isKnown || isMine || isOver || (about.status === "active" && !leads && !about.agent_away);
    this.take.textContent = about.status === "waiting" ? "Take" : "Take over";
    this.reopen.hidden = !(isOver && leads);
    this.hand.hidden = this.close.hidden = !isKnown || isOver || !(isMine || leads);
  }

  types() {
    const who = this.session?.room.typing ?? [];
    const names = who.map(({ name }) => name);
    const words = names.length === 0 ? "\u00a0" : names.length === 1 ? `${names[0]} is typing…` : `${names.length} people are typing…`;
    if (this.typing.textContent !== words) this.typing.textContent = words;
  }

  /** @param {HTMLElement} beside */
  offer(beside) {
    const { session, doings } = this;
    if (!session) return;
    menu(beside, [
      { words: "Download the transcript (JSON)", does: () => void doings.download(session) },
      { words: "Print it with notes", does: () => void doings.print(session, "notes") },
      { words: "Print it for the customer", does: () => void doings.print(session, "no notes") },
    ]);
  }

  /** What stands in the place of a chat. @param {string} title @param {string[]} words @param {HTMLElement} [does] */
  says(title, words, does) {
    const of = JSON.stringify([title, words]);
    if (this.empty.dataset.of === of) return;
    this.empty.dataset.of = of;
    this.empty.replaceChildren(make("h1", {}, title), ...words.map((line) => make("p", {}, line)));
    if (does) this.empty.append(does);
  }
}

/** What a screen reader is told. @param {string} words */
export function announce(words) {
  $("heard").append(make("span", {}, `${words}. `));
  while ($("heard").childElementCount > 5) $("heard").firstElementChild?.remove();
}
