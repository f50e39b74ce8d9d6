// What the staff can do with a chat, asked for by dialogs where there is something to say with it. Both pages share it.

import { Refusal } from "../client/index.js";
import { toast } from "../overlays.js";
import { form } from "./forms.js";
import * as transcripts from "./transcript.js";
import { CLOSINGS, STATUSES, called, ofReason, ofRefusal } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./departments.js").Department} Department */

const REASON_CHARS_MAX = 200;
const NOTE_CHARS_MAX = 1000;

/** Tells why it was not done, and whether it was. @param {() => Promise<unknown>} work */
async function told(work) {
  try {
    await work();
    return true;
  } catch (error) {
    toast(ofRefusal(error));
    return false;
  }
}

export class Doings {
  /** @param {{id: string, name: string}} me @param {boolean} leads @param {import("./duty.js").Duty} duty @param {() => Department[]} departments @param {(id: string) => void} taken */
  constructor(me, leads, duty, departments, taken) {
    this.me = me;
    this.leads = leads;
    this.duty = duty;
    this.departments = departments;
    this.taken = taken;
  }

  /** The department in which a chat waits. @param {string} id */
  where(id) {
    const has = (/** @type {Department} */ { board }) => [...board.waiting, ...board.active].some(({ session_id }) => session_id === id);
    return this.departments().find(has);
  }

  /** Exactly one of those who pick gets it. Who leads takes over what is somebody's, too. @param {string} id @returns {Promise<boolean>} */
  async take(id) {
    const department = this.where(id);
    const isActive = department?.board.active.some(({ session_id }) => session_id === id);
    const done = await told(async () => {
      if (!department) throw new Refusal("NOT_FOUND", "no such session waits here");
      if (this.duty.status === "offline" && this.leads) await this.duty.choose("busy");
      await department.give(isActive && this.leads ? "assign" : "pick", id, this.me);
    });
    department?.soon();
    if (done) this.taken(id);
    return done;
  }

  /** To whom a chat may go. @param {string | undefined} department that it is in @param {string} [except] */
  places(department, except) {
    const agents = this.departments().flatMap((place) => place.board.agents
      .filter(({ agent_id, status }) => agent_id !== except && status !== "offline")
      .map((agent) => ({ value: `agent ${place.name} ${agent.agent_id}`, words: `${agent.name}, ${STATUSES[agent.status].toLowerCase()}, ${place.load(agent)}${place.board.sessions_max ? ` of ${place.board.sessions_max}` : ""} chats`, group: `Agents of ${place.title}` })));
    const departments = this.departments().filter(({ name }) => name !== department)
      .map(({ name, title }) => ({ value: `dept ${name}`, words: title, group: "Departments" }));
    return { agents, departments };
  }

  /** @param {Session} session */
  async transfer(session) {
    const { agents, departments } = this.places(session.about.department, session.about.agent?.id);
    const options = [...agents, ...departments];
    if (options.length === 0) return toast("There is nobody to hand this chat to: no other agent is on duty, and there is no other department.");
    const answer = await form({
      title: `Hand on ${called(session.about.customer)}`, does: "Hand on",
      words: "Whoever gets it reads your note; the customer does not.",
      fields: [{ name: "to", label: "To", kind: "select", options }, { name: "note", label: "Note for whoever gets it", kind: "long", max: NOTE_CHARS_MAX }],
    });
    if (!answer) return;
    const [kind, department, ...id] = answer.to.split(" ");
    const to = kind === "agent" ? { department, agent_id: id.join(" ") } : { department };
    await told(async () => {
      // First, so that it is there when the chat arrives.
      if (answer.note) await session.room.act("add_note", { note: answer.note });
      await session.room.act("transfer", { ...to, reason: answer.note ? answer.note.slice(0, REASON_CHARS_MAX) : undefined });
      toast(`${called(session.about.customer)} was handed on.`);
    });
    await session.refresh();
  }

  /** @param {Session} session */
  async close(session) {
    const answer = await form({
      title: `Close the chat with ${called(session.about.customer)}?`, does: "Close the chat",
      words: "The customer is told, may rate it, and may open it again for a while.",
      fields: [{ name: "reason", label: "Why", kind: "select", options: CLOSINGS.map((reason) => ({ value: reason, words: ofReason(reason) })) },
        { name: "other", label: "Or in your own words", max: REASON_CHARS_MAX, hint: "The customer sees it." }],
    });
    if (!answer) return;
    await told(() => session.room.act("close", { reason: answer.other || answer.reason }));
    await session.refresh();
  }

  /** @param {Session} session @param {string} priority */
  async priority(session, priority) {
    await told(() => session.room.act("set_priority", { priority }));
    await session.refresh();
  }

  /** @param {Session} session */
  async reopen(session) {
    await told(() => session.room.act("reopen"));
    await session.refresh();
  }

  /** @param {Session} session */
  async contact(session) {
    const had = session.about.contact ?? {};
    const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {any} */ more = {}) => ({ name, label, value: had[name] ?? "", max: 200, ...more });
    const answer = await form({
      title: "Contact", does: "Save", words: "Where the customer can be reached. They do not see that you change it.",
      fields: [field("contact_name", "Name", { required: true, value: had.contact_name ?? session.about.customer?.name ?? "" }), field("contact_email", "E-mail", { kind: "email", required: true }),
        field("contact_phone", "Telephone", { kind: "tel" }), field("position", "Position"), field("company_name", "Company")],
    });
    if (!answer) return;
    const said = Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== ""));
    if (await told(() => session.room.act("set_contact", said))) await session.refresh();
  }

  /** Who leads gives a chat to somebody, be it another's. @param {string} id @param {string} name of its customer */
  async assign(id, name) {
    const department = this.where(id);
    const { agents } = this.places(undefined);
    const own = agents.filter(({ value }) => value.startsWith(`agent ${department?.name} `));
    if (!department || own.length === 0) return toast("Nobody of this department is on duty. Ask an agent to set the status to Online.");
    const answer = await form({ title: `Give ${name} to`, does: "Give", fields: [{ name: "to", label: "Agent", kind: "select", options: own.map(({ value, words }) => ({ value, words })) }] });
    if (!answer) return;
    const to = answer.to.split(" ").slice(2).join(" ");
    const agent = department.board.agents.find(({ agent_id }) => agent_id === to);
    await told(() => department.give("assign", id, { id: to, name: agent?.name ?? to }));
  }

  /** @param {Session} session */
  download(session) {
    return told(() => transcripts.download(session.id));
  }

  /** @param {Session} session @param {"notes" | "no notes"} how */
  print(session, how) {
    return told(() => transcripts.print(session.id, how));
  }
}
