// What is known of a chat and its customer, beside it; and the little that may be changed about it.

import { button, make } from "../elements.js";
import { PRIORITIES, called, fully, ofReason, span } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./doings.js").Doings} Doings */

export class Details {
  /** @param {HTMLElement} host @param {Doings} doings @param {(name: string) => string} titleOf a department @param {() => void} close */
  constructor(host, doings, titleOf, close) {
    this.host = host;
    this.doings = doings;
    this.titleOf = titleOf;
    this.body = make("div", { class: "side-body", id: "details-body" });
    host.addEventListener("keydown", (event) => event.key === "Escape" && close());
    host.append(make("header", { class: "side-head" }, make("h2", {}, "Details"), button("✕", close, { class: "bare middling", id: "hide-details", "aria-label": "Close the details" })), this.body);
  }

  /** @param {Session | null} session */
  show(session) {
    const { doings } = this;
    this.host.hidden = !session;
    if (!session) return;
    const { about, isOver, isMine } = session;
    const leads = about.role === "supervisor";
    const { customer, contact } = about;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.id;
    const priority = make("select", { id: "priority", disabled: isOver || !about.status, onchange: (/** @type {Event} */ event) => void doings.priority(session, /** @type {HTMLSelectElement} */ (event.target).value) },
      ...PRIORITIES.map((name) => make("option", { value: name, selected: name === about.priority }, name)));
    const ways = /** @type {[string, Node | string | undefined][]} */ ([
      ["Name", contact?.contact_name],
      ["E-mail", contact?.contact_email && make("a", { href: `mailto:${contact.contact_email}` }, contact.contact_email)],
      ["Telephone", contact?.contact_phone && make("a", { href: `tel:${contact.contact_phone.replace(/[^+\d]/g, "")}` }, contact.contact_phone)],
      ["Position", contact?.position], ["Company", contact?.company_name],
    ]);
    this.body.replaceChildren(
      make("h3", { class: "overline" }, "Customer"),
      facts([["Called", called(customer)], ["Now", session.isHere ? make("span", { class: "is-here" }, "here") : "not here"],
        ["Id", make("code", { class: "id" }, customer?.id ?? "–")]]),
      make("h3", { class: "overline" }, "Contact"),
      contact ? facts(ways) : make("p", { class: "hint" }, "The customer has left none. Ask for an address before you promise to write."),
      (isMine || leads) && button(contact ? "Change the contact…" : "Add a contact…", () => void doings.contact(session), { class: "quiet slim", id: "contact" }),
      make("h3", { class: "overline" }, "Chat"),
      make("div", { class: "fact-field" }, make("label", { for: "priority" }, "Priority"), priority),
      facts([["Topic", about.topic || "–"], ["Department", about.department ? this.titleOf(about.department) : "none"], ["Agent", about.agent ? `${about.agent.name}${isMine ? " (you)" : ""}` : "nobody yet"],
        ["Began", about.started_at && fully(about.started_at)], ["First answer", about.first_response_ms === null ? "not yet" : span(about.first_response_ms)],
        ["Closed", about.closed_at && fully(about.closed_at)], ["Because", about.reason && ofReason(about.reason)],
        ["Rating", about.rated && `${about.rated.rating} of 5`], ["Said of it", about.rated?.feedback]]),
    );
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

/** @param {[string, Node | string | undefined | null | false][]} pairs */
function facts(pairs) {
  return make("dl", { class: "facts" }, ...pairs.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}
