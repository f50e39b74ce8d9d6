// What an agent goes through all day: one's own chats, who waits, what was closed lately.

import { $, button, face, make, tell } from "../../elements.js";
import { textOf, voice } from "../session.js";
import { ago, called } from "../words.js";
import { before } from "../departments.js";

/** @typedef {import("../session.js").Session} Session */
/** @typedef {import("../departments.js").Department} Department */
/** @typedef {import("../departments.js").Entry} Entry */

const LAST_CHARS_MAX = 80;
/** Of those who wait: more are not read, and each is made anew when something changes. */
const QUEUE_SHOWN_MAX = 100;
const ALL = "*";

export class Lists {
  /** @param {{departments: () => Department[], chats: import("../chats.js").Chats, hasDraft: (id: string) => boolean, take: (id: string) => void, status: () => string}} around */
  constructor(around) {
    this.around = around;
    this.current = "";
    this.chosen = ALL;
    this.timer = 0;
    $("department").addEventListener("change", (event) => {
      this.chosen = /** @type {HTMLSelectElement} */ (event.target).value;
      this.render();
    });
  }

  /** Much that comes at once is shown at once. */
  soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.render();
    }, 16);
  }

  /** Those who wait, in the order of their departments, the first first. @returns {{entry: Entry, of: Department, place: number}[]} */
  get waiting() {
    const shown = this.around.departments().filter(({ name }) => this.chosen === ALL || name === this.chosen);
    const all = shown.flatMap((of) => of.board.waiting.map((entry, index) => ({ entry, of, place: index + 1 })));
    return all.sort((a, b) => before(a.entry, b.entry));
  }

  render() {
    const { chats } = this.around;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
    const own = chats.own.map((id) => chats.get(id));
    $("chats").replaceChildren(...own.map((session, index) => this.chat(session, index + 1)));
    tell("chats-count", own.length > 0 ? String(own.length) : "");
    const nothing = /** @type {Record<string, string>} */ ({ offline: "You are off duty. Set your status to Online, and chats are given to you.", online: "None at the moment. The next customer comes here by itself." });
    tell("no-chats", own.length > 0 ? "" : nothing[this.around.status()] ?? "None. While you are busy or away you are given none, and may take some.");
    this.queue();
    $("closed-part").hidden = chats.closed.length === 0;
    $("closed").replaceChildren(...chats.closed.map(({ id, topic }) => make("li", {}, make("a", { class: "entry", href: `#${id}`, "data-key": `closed ${id}`, "aria-current": id === this.current && "page" },
      make("span", { class: "name" }, chats.open.get(id)?.about.customer?.name ?? (topic || "Without a topic")), make("span", { class: "mark" }, chats.open.has(id) ? topic : "")))));
    if (focused) /** @type {HTMLElement | null} */ (document.querySelector(`#lists [data-key="${CSS.escape(focused)}"]`))?.focus({ preventScroll: true });
  }

  queue() {
    const departments = this.around.departments();
    const many = departments.length > 1;
    const options = [ALL, ...departments.map(({ name }) => name)];
    const select = $("department");
    select.hidden = !many;
    if (select.dataset.of !== options.join()) {
      select.dataset.of = options.join();
      select.replaceChildren(...options.map((name) => make("option", { value: name }, name === ALL ? "All departments" : departments.find((it) => it.name === name)?.title ?? name)));
    }
    const { waiting } = this;
    const count = departments.reduce((sum, { board, name }) => sum + (this.chosen === ALL || name === this.chosen ? board.waiting_count : 0), 0);
    tell("queue-count", count > 0 ? String(count) : "");
    $("queue").replaceChildren(...waiting.slice(0, QUEUE_SHOWN_MAX).map(({ entry, of, place }) => this.waits(entry, of, place, many)));
    const trouble = departments.map(({ trouble }) => trouble).find((words) => words !== "");
    tell("no-queue", trouble ?? (waiting.length > 0 ? (count > waiting.length ? `and ${count - waiting.length} more` : "") : "Nobody waits."));
    tell("departments", departments.length > 0 ? `You serve ${departments.map(({ title }) => title).join(", ")}.` : "");
  }

  /** @param {Session} session @param {number} number */
  chat(session, number) {
    const { about, unread, turn, last } = session;
    const customer = { id: about.customer?.id ?? session.id, name: called(about.customer) };
    const typing = session.room.typing.some(({ id }) => id === customer.id);
    const isCurrent = session.id === this.current;
    const said = last ? `${voice(last) === "agent" ? "You: " : ""}${textOf(last).replace(/\s+/g, " ").slice(0, LAST_CHARS_MAX)}` : about.topic || "Nothing said yet";
    const draft = !isCurrent && this.around.hasDraft(session.id);
    const badge = unread > 0 ? make("span", { class: "badge" }, String(unread), make("span", { class: "out" }, " unread"))
      : turn === "us" ? make("span", { class: "turn-dot", title: "Your turn" }, make("span", { class: "out" }, "your turn")) : null;
    return make("li", {}, make("a", {
      class: `chat-entry${unread > 0 ? " unread" : ""}`, href: `#${session.id}`, "data-session": session.id, "data-key": session.id, "aria-current": isCurrent && "page", title: number < 10 ? `Alt ${number}` : undefined,
    }, make("span", { class: session.isHere ? "presence here" : "presence" }, face(customer, "small"), make("span", { class: "out" }, session.isHere ? "here: " : "not here: ")),
    make("span", { class: "chat-lines" },
      make("span", { class: "chat-top" }, make("b", {}, customer.name), priority(about.priority), draft && make("span", { class: "mark" }, "draft"),
        about.agent_away && make("span", { class: "mark" }, "you were gone"), make("span", { class: "mark when" }, last ? ago(last.timestamp) : "new")),
      make("span", { class: "chat-bottom" }, make("span", { class: typing ? "last types" : "last" }, typing ? "is typing…" : said), badge))));
  }

  /** @param {Entry} entry @param {Department} of @param {number} place @param {boolean} many */
  waits(entry, of, place, many) {
    const name = called(entry);
    return make("li", { class: "waits", "data-waiting": entry.session_id },
      make("span", { class: "place" }, String(place)),
      make("a", { class: "chat-lines", href: `#${entry.session_id}`, "data-key": `queue ${entry.session_id}`, "aria-current": entry.session_id === this.current && "page", title: "Read before you take it" },
        make("span", { class: "chat-top" }, make("b", {}, name), priority(entry.priority), entry.head && make("span", { class: "mark" }, "sent back"), make("span", { class: "mark when", "data-since": entry.since }, ago(entry.since))),
        make("span", { class: "chat-bottom" }, make("span", { class: "last" }, `${many ? `${of.title} · ` : ""}${entry.topic || "without a topic"}`))),
      button("Take", () => this.around.take(entry.session_id), { class: "quiet slim", "data-key": `take ${entry.session_id}`, "aria-label": `Take ${name}` }));
  }

  /** Only the clocks. */
  tick() {
    for (const mark of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-since]"))) mark.textContent = ago(mark.dataset.since ?? "");
  }
}

/** @param {string | undefined} name */
export function priority(name) {
  return name && name !== "normal" ? make("span", { class: `chip ${name}` }, name) : null;
}
