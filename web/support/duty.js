// Whether one is on duty: said to every department that one serves, said again whenever the connection comes back, and what
// becomes of it while there is none. A desk is a connection that said so and is in its departments' rooms.

import { duration, make } from "../elements.js";
import { toast } from "../overlays.js";
import { STATUSES, ofRefusal } from "./words.js";

/** @typedef {import("./departments.js").Department} Department */
/** @typedef {import("../client/index.js").Kulkul} Kulkul */

const KEPT = "kulkul.desk.status";
/** Unless the department's board says otherwise. */
const GONE_MS = 60_000;
const HINTS = /** @type {Record<string, string>} */ ({
  online: "Chats are given to you while you have a free place", busy: "You are given none, and may take some",
  away: "You are given none; your chats stay yours", offline: "You are given none, and your chats go back to the queue",
});

export class Duty {
  /** @param {HTMLElement} host @param {Kulkul} client @param {{id: string}} me @param {() => Department[]} departments @param {() => void} changed */
  constructor(host, client, me, departments, changed) {
    this.client = client;
    this.me = me;
    this.departments = departments;
    this.changed = changed;
    this.status = "offline";
    /** When the connection went. @type {number | null} */
    this.goneAt = null;
    try {
      // A reload is no end of one's duty.
      const { id, status } = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
      if (id === me.id && status in STATUSES) this.status = status;
    } catch {
      // Storage may be turned off; then one says it again.
    }
    this.host = make("fieldset", { class: "duty", id: "duty" }, make("legend", { class: "out" }, "Your status"),
      ...Object.entries(STATUSES).map(([value, words]) => make("label", { class: "duty-choice", "data-status": value, title: HINTS[value] },
        make("input", { type: "radio", name: "status", value, id: `status-${value}`, onchange: () => void this.choose(value).catch((error) => toast(ofRefusal(error))) }), make("span", {}, words))));
    host.replaceChildren(this.host);
    this.tell();
  }

  tell() {
    for (const input of this.host.querySelectorAll("input")) input.checked = input.value === this.status;
  }

  /** @param {string} status */
  async choose(status) {
    const before = this.status;
    this.status = status;
    this.tell();
    this.changed();
    try {
      await Promise.all(this.departments().map((department) => this.say(department)));
      this.keep();
    } catch (error) {
      this.status = before;
      this.tell();
      this.changed();
      throw error;
    }
  }

  /** In the room first: only there is it a desk. @param {Department} department */
  async say(department) {
    if (department.room.state === "refused") return;
    await department.join();
    await department.act("set_status", { status: this.status });
  }

  keep() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ id: this.me.id, status: this.status }));
    } catch {
      // As above.
    }
  }

  /** The connection is another: back on duty by itself. @param {string} state of the client */
  connection(state) {
    const is = state === "open" || state === "catching-up";
    if (!is) {
      this.goneAt ??= Date.now();
      return;
    }
    const was = this.goneAt;
    this.goneAt = null;
    if (was === null || this.status === "offline") return;
    for (const department of this.departments()) this.say(department).catch((error) => toast(ofRefusal(error)));
  }

  /** How long one still counts as here, in words; "" while one does, or is off duty. */
  get fate() {
    if (this.goneAt === null || this.status === "offline") return "";
    const ms = Math.min(...this.departments().map(({ board }) => board.agent_gone_ms ?? GONE_MS), Infinity);
    const left = this.goneAt + (Number.isFinite(ms) ? ms : GONE_MS) - Date.now();
    if (left > 0) return `You will be off duty in ${duration(left)}.`;
    return "You are off duty by now: customers who waited for your answer are back in the queue. You are on duty again as soon as the connection is back.";
  }
}
