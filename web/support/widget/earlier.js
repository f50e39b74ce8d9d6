// The visitor's conversations that this browser has the keys of, the newest first.

import { $, button, make } from "../../elements.js";
import { kept } from "./kept.js";
import { date } from "./words.js";

/** @typedef {import("./kept.js").Session} Session */

const WORDS = /** @type {Record<string, string>} */ ({ waiting: "waiting", active: "open", closed: "ended" });

/** @param {(session: Session) => void} opens */
export function list(opens) {
  const items = kept.now.sessions.map((session) => {
    const words = make("span", { class: "session" }, make("b", { class: "name" }, session.topic || "Conversation"), make("span", { class: "mark" }, `${date(new Date(session.at))} · ${WORDS[session.status] ?? session.status}`));
    const entry = button("", () => opens(session), { class: "entry", "aria-current": session.id === kept.now.current ? "true" : null, "data-session": session.id });
    entry.append(words);
    return make("li", {}, entry);
  });
  $("sessions").replaceChildren(...items);
}
