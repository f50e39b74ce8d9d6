// The tables of the supervisor's view: who waits, who is in a chat, who serves; and the figures above them. It shows boards and
// changes none.

import { $, button, face, make, tell } from "../../elements.js";
import { before } from "../departments.js";
import { STATUSES, ago, called, span } from "../words.js";

/** @typedef {import("../departments.js").Department} Department */
/** @typedef {import("../departments.js").Entry} Entry */

const ROWS_MAX = 200;
const RANK = ["online", "busy", "away", "offline"];

/** @typedef {{assign: (id: string, name: string) => void, take: (id: string) => void}} Acts */

/** A table that becomes cards where there is no place: each cell knows what it is. @param {string} name @param {string[]} heads @param {{key: string, cells: (Node | string)[]}[]} rows @param {string} nothing */
function table(name, heads, rows, nothing) {
  if (rows.length === 0) return make("p", { class: "hint nobody" }, nothing);
  return make("table", { class: "cards", "aria-label": name },
    make("thead", {}, make("tr", {}, ...heads.map((words) => make("th", { scope: "col" }, words)))),
    make("tbody", {}, ...rows.map(({ key, cells }) => make("tr", { "data-row": key },
      ...cells.map((cell, index) => make("td", { "data-head": heads[index], class: index === 0 ? "first" : "" }, cell))))));
}

/** @param {string} priority */
const chip = (priority) => (priority === "normal" ? make("span", { class: "mark" }, "normal") : make("span", { class: `chip ${priority}` }, priority));
/** @param {string} since */
const clock = (since) => make("span", { class: "count", "data-since": since }, ago(since));
/** @param {Entry} entry @param {string} current */
const who = (entry, current) => make("a", { class: "who-link", href: `#${entry.session_id}`, "data-key": `read ${entry.session_id}`, "aria-current": entry.session_id === current && "true", title: "Read the chat" },
  make("b", {}, called(entry)), make("span", { class: "hint" }, entry.topic || "without a topic"));

export class Board {
  /** @param {Acts} acts */
  constructor(acts) {
    this.acts = acts;
    this.current = "";
    this.chosen = "*";
    this.timer = 0;
    /** @type {Department[]} */
    this.all = [];
    /** Of chats that are read here. @type {(id: string) => {turn: string} | undefined} */
    this.open = () => undefined;
    $("departments").addEventListener("change", (event) => {
      this.chosen = /** @type {HTMLInputElement} */ (event.target).value;
      this.render();
    });
  }

  soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.render();
    }, 30);
  }

  get shown() {
    return this.all.filter(({ name }) => this.chosen === "*" || name === this.chosen);
  }

  render() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
    this.tabs();
    const { shown } = this;
    const many = this.all.length > 1;
    const of = (/** @type {Department} */ department) => (many ? [department.title] : []);
    const waiting = shown.flatMap((department) => department.board.waiting.map((entry, index) => ({ entry, department, place: index + 1 }))).sort((a, b) => before(a.entry, b.entry));
    const active = shown.flatMap((department) => department.board.active.map((entry) => ({ entry, department })));
    active.sort((a, b) => new Date(a.entry.since).getTime() - new Date(b.entry.since).getTime());
    this.figures(shown, waiting[0] && waiting.map(({ entry }) => entry.since).sort()[0]);
    const head = many ? ["Department"] : [];

    $("waiting").replaceChildren(table("Waiting", ["Customer", "Place", ...head, "Priority", "Waits", "To do"], waiting.slice(0, ROWS_MAX).map(({ entry, department, place }) => ({
      key: entry.session_id,
      cells: [who(entry, this.current), make("span", { class: "count" }, `${place}${entry.head ? ", sent back" : ""}${entry.wished_agent ? ", for one agent" : ""}`), ...of(department), chip(entry.priority), clock(entry.since),
        button("Give to…", () => this.acts.assign(entry.session_id, called(entry)), { class: "quiet slim", "data-key": `give ${entry.session_id}`, "aria-label": `Give ${called(entry)} to an agent` })],
    })), "Nobody waits. Whoever starts a chat is given to an agent who is online, or stands here."));
    tell("waiting-count", count(waiting.length, shown.reduce((sum, { board }) => sum + board.waiting_count, 0)));

    $("active").replaceChildren(table("In a chat", ["Customer", "Agent", ...head, "Priority", "Since", "To do"], active.slice(0, ROWS_MAX).map(({ entry, department }) => ({
      key: entry.session_id,
      cells: [who(entry, this.current), entry.agent?.name ?? "–", ...of(department), chip(entry.priority), clock(entry.given_at ?? entry.since),
        make("span", { class: "row-do" },
          button("Give to…", () => this.acts.assign(entry.session_id, called(entry)), { class: "quiet slim", "data-key": `give ${entry.session_id}`, "aria-label": `Give ${called(entry)} to another agent` }),
          button("Take over", () => this.acts.take(entry.session_id), { class: "quiet slim", "data-key": `take ${entry.session_id}`, "aria-label": `Take over ${called(entry)}` }))],
    })), "No chat is going on."));
    tell("active-count", count(active.length, shown.reduce((sum, { board }) => sum + board.active_count, 0)));

    const agents = shown.flatMap((department) => department.board.agents.map((agent) => ({ agent, department })));
    agents.sort((a, b) => RANK.indexOf(a.agent.status) - RANK.indexOf(b.agent.status) || a.agent.name.localeCompare(b.agent.name));
    $("agents").replaceChildren(table("Agents", ["Agent", "Status", ...head, "Chats"], agents.slice(0, ROWS_MAX).map(({ agent, department }) => ({
      key: `${department.name} ${agent.agent_id}`,
      cells: [make("span", { class: "agent" }, face({ id: agent.agent_id, name: agent.name }, "small"), make("b", {}, agent.name)),
        make("span", { class: "agent-status", "data-status": agent.status }, STATUSES[agent.status] ?? agent.status), ...of(department), load(department.load(agent), department.board.sessions_max)],
    })), "Nobody is on duty. Agents come here when they set their status at the desk."));
    tell("agents-count", count(agents.length, shown.reduce((sum, { board }) => sum + board.agents_count, 0)));
    const trouble = this.all.map((department) => department.trouble).find((words) => words !== "") ?? "";
    tell("board-trouble", trouble);
    if (focused) /** @type {HTMLElement | null} */ (document.querySelector(`#board [data-key="${CSS.escape(focused)}"]`))?.focus({ preventScroll: true });
  }

  /** @param {Department[]} shown @param {string | undefined} oldest */
  figures(shown, oldest) {
    const sum = (/** @type {(board: import("../departments.js").Board) => number} */ of) => shown.reduce((all, { board }) => all + of(board), 0);
    // Boards do not say how many of their chats were rated, so departments weigh by what they closed.
    const mean = (/** @type {"first_response_ms" | "rating_hundredths"} */ name) => {
      const of = shown.filter(({ board }) => board.figures[name] !== null);
      const closed = of.reduce((all, { board }) => all + board.figures.closed, 0);
      return closed === 0 ? null : of.reduce((all, { board }) => all + /** @type {number} */ (board.figures[name]) * board.figures.closed, 0) / closed;
    };
    const [first, rated] = [mean("first_response_ms"), mean("rating_hundredths")];
    const on = new Set(shown.flatMap(({ board }) => board.agents.filter(({ status }) => status === "online").map(({ agent_id }) => agent_id)));
    const figures = /** @type {[string, Node | string, string][]} */ ([
      ["Waiting", String(sum((board) => board.waiting_count)), "waiting"],
      ["Longest wait", oldest ? clock(oldest) : "–", "longest"],
      ["In a chat", String(sum((board) => board.active_count)), "active"],
      ["Agents online", String(on.size), "online"],
      ["First answer", span(first), "first"],
      ["Rating", rated === null ? "–" : `${(rated / 100).toFixed(1)} of 5`, "rating"],
      ["Closed", String(sum((board) => board.figures.closed)), "closed"],
    ]);
    $("figures").replaceChildren(...figures.map(([name, value, key]) => make("div", { class: "figure card", "data-figure": key, title: ["first", "rating", "closed"].includes(key) ? "Of the last 200 chats of each department, which weighs by how many it closed" : undefined },
      make("dt", {}, name), make("dd", {}, value))));
  }

  tabs() {
    const options = this.all.length > 1 ? [["*", "All"], ...this.all.map(({ name, title }) => [name, title])] : [];
    const of = JSON.stringify([options, this.chosen]);
    const host = $("departments");
    if (host.dataset.of === of) return;
    host.dataset.of = of;
    const focused = host.contains(document.activeElement);
    host.replaceChildren(...options.map(([value, words]) => make("label", { class: "tab" }, make("input", { type: "radio", name: "department", value, checked: value === this.chosen }), make("span", {}, words))));
    if (focused) host.querySelector("input:checked")?.dispatchEvent(new FocusEvent("focus"));
  }

  tick() {
    for (const mark of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-since]"))) mark.textContent = ago(mark.dataset.since ?? "");
  }
}

/** @param {number} shown @param {number} all */
const count = (shown, all) => (all > shown ? `${shown} of ${all}` : all > 0 ? String(all) : "");

/** @param {number} chats @param {number | undefined} max */
function load(chats, max) {
  if (!max) return String(chats);
  return make("span", { class: "load" }, make("meter", { min: "0", max: String(max), value: String(chats), "aria-hidden": "true" }), make("span", { class: "count" }, `${chats} of ${max}`));
}
