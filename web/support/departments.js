// The boards of the departments that one serves, as they change: who waits, whose each chat is, who is on duty.

import { PRIORITIES, ofRefusal } from "./words.js";

/** @typedef {import("../client/index.js").Kulkul} Kulkul */
/** @typedef {import("../client/index.js").Room} Room */
/** @typedef {{session_id: string, name: string, topic: string, priority: string, since: string, head?: boolean, wished_agent?: string, agent?: {id: string, name: string}, how?: string, given_at?: string}} Entry */
/** @typedef {{agent_id: string, name: string, status: string, load: number}} Agent */
/** @typedef {{department: string, title?: string, sessions_max?: number, agent_gone_ms?: number, waiting: Entry[], waiting_count: number, active: Entry[], active_count: number, agents: Agent[], agents_count: number, figures: {closed: number, first_response_ms: number | null, rating_hundredths: number | null}}} Board */

/** Rooms on one connection are 100: so many for departments leave place for chats. */
const DEPARTMENTS_MAX = 40;
/** Boards are asked for anew after what they do not tell, and now and then: what was missed is not missed for long. */
const SOON_MS = 250;
const AGAIN_MS = 60_000;

/** Those that a token's bearer serves: the token names them, or the server is asked. @param {import("../identity.js").Identity} now @param {Record<string, any>} claims */
export async function departmentsOf(now, claims) {
  const named = [claims.department_id ?? []].flat().map(String);
  if (named.length > 0 && !named.includes("*")) return named.slice(0, DEPARTMENTS_MAX);
  const asked = await fetch(new URL("../api/agent-status/stats", import.meta.url), { headers: { Authorization: `Bearer ${now.token}` } });
  const answer = await asked.json().catch(() => ({}));
  if (asked.ok) return answer.data.departments.map((/** @type {any} */ { department }) => String(department)).slice(0, DEPARTMENTS_MAX);
  // A server without the calls for livechat: then there may be one that has no name of its own.
  if (asked.status === 404) return ["general"];
  throw new Error(answer.message ?? `the server answered ${asked.status}`);
}

/** @type {Board} */
const NOTHING = {
  department: "", waiting: [], waiting_count: 0, active: [], active_count: 0, agents: [], agents_count: 0,
  figures: { closed: 0, first_response_ms: null, rating_hundredths: null },
};

/** As a department orders them: sent back first, then by priority, then by age. @param {Entry} a @param {Entry} b */
export function before(a, b) {
  return Number(b.head ?? false) - Number(a.head ?? false) || PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority)
    || new Date(a.since).getTime() - new Date(b.since).getTime() || a.session_id.localeCompare(b.session_id);
}

export class Department {
  /** @param {Kulkul} client @param {string} name @param {(department: Department) => void} changed */
  constructor(client, name, changed) {
    this.name = name;
    this.changed = changed;
    this.room = client.room(`support:dept:${name}`);
    /** @type {Board} */
    this.board = NOTHING;
    /** Why it is not open to us. */
    this.trouble = "";
    this.timer = 0;
    this.room.on("about", () => this.take(this.room.view));
    this.room.on("messages", ({ kind }) => kind === "replaced" && this.take(this.room.view));
    this.room.on("event", (frame) => this.hear(frame));
    this.room.on("state", (state) => {
      if (state === "open") this.soon();
      this.trouble = state === "refused" ? ofRefusal(this.room.error ?? {}) : "";
      this.changed(this);
    });
    setInterval(() => !document.hidden && this.soon(), AGAIN_MS);
  }

  get title() {
    return this.board.title || this.name;
  }

  join() {
    return this.room.join();
  }

  /** @param {any} view */
  take(view) {
    if (!view?.waiting) return;
    this.board = view;
    this.changed(this);
  }

  /** @param {import("../../clients/js/src/types.d.ts").Frame} frame */
  hear({ type, payload }) {
    const { board } = this;
    const id = payload?.session?.session_id ?? payload?.session_id;
    const others = (/** @type {Entry[]} */ list) => list.filter((entry) => entry.session_id !== id);
    const known = [...board.waiting, ...board.active].find((entry) => entry.session_id === id);
    let [waiting, active, agents] = [others(board.waiting), others(board.active), board.agents];
    if (type === "queue_changed") {
      waiting = [...waiting, payload.session].sort(before);
    } else if (type === "session_given") {
      const entry = known ?? { session_id: id, name: "", topic: "", priority: "normal", since: new Date().toISOString() };
      active = [...active, { ...entry, agent: payload.agent, how: payload.how, given_at: new Date().toISOString() }];
      if (!known) this.soon();
    } else if (type === "agent_status") {
      [waiting, active] = [board.waiting, board.active];
      agents = [...agents.filter(({ agent_id }) => agent_id !== payload.agent_id), payload];
    } else if (type !== "session_left") {
      return;
    }
    const gone = (/** @type {number} */ before, /** @type {number} */ after) => board.active_count + after - before;
    this.board = {
      ...board, waiting, active, agents, agents_count: Math.max(board.agents_count, agents.length),
      waiting_count: payload.waiting ?? board.waiting_count, active_count: gone(board.active.length, active.length),
    };
    // The figures are not told, and what did not fit into the lists has a place in them now.
    if (type === "session_left") this.soon();
    this.changed(this);
  }

  /** Many changes are asked about once. */
  soon() {
    if (this.timer) return;
    this.timer = setTimeout(async () => {
      this.timer = 0;
      if (this.room.state !== "open") return;
      try {
        this.take((await this.room.ask("get_department")).payload);
      } catch {
        // What is shown stays; the next change or the next minute asks again.
      }
    }, SOON_MS);
  }

  /** How many chats an agent has here. @param {Agent} agent */
  load({ agent_id, load }) {
    const { active, active_count } = this.board;
    return active.length === active_count ? active.filter(({ agent }) => agent?.id === agent_id).length : load;
  }

  /** A word of one's own is acknowledged and not told: the board is asked for. @param {string} word @param {object} payload */
  async act(word, payload) {
    const answer = await this.room.act(word, payload);
    this.soon();
    return answer;
  }

  /** To oneself, or to somebody else: shown at once. @param {"pick" | "assign"} word @param {string} id @param {{id: string, name: string}} agent */
  async give(word, id, agent) {
    await this.act(word, { session_id: id, agent_id: agent.id });
    const waits = this.board.waiting.some(({ session_id }) => session_id === id);
    this.hear({ type: "session_given", payload: { session_id: id, agent, how: word, waiting: this.board.waiting_count - Number(waits) } });
  }
}
