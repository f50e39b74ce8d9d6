// A chat to be kept: as a file, or on paper. What it holds is the server's own transcript.

import { make } from "../elements.js";
import { staff } from "./door.js";
import { called, fully, ofReason } from "./words.js";

/** @param {string} id @returns {Promise<{session: Record<string, any>, messages: Record<string, any>[], more: boolean}>} */
async function asked(id) {
  const response = await fetch(new URL(`../api/chat/session/${id}/transcript`, import.meta.url), {
    headers: { Authorization: `Bearer ${staff.now?.token}` }, cache: "no-store",
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message ?? `the server answered ${response.status}`);
  return answer.data;
}

/** @param {string} id */
export async function download(id) {
  const transcript = await asked(id);
  const file = URL.createObjectURL(new Blob([`${JSON.stringify(transcript, null, 2)}\n`], { type: "application/json" }));
  make("a", { href: file, download: `chat-${id}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(file), 10_000);
}

/** Notes are the staff's: what is given to a customer is printed without them. @param {string} id @param {"notes" | "no notes"} how */
export async function print(id, how) {
  const { session, messages: all, more } = await asked(id);
  const messages = all.filter(({ note }) => note === undefined || how === "notes");
  const facts = [["Customer", called(session.customer)], ["Agent", session.agent?.name], ["Department", session.department],
    ["Started", session.started_at && fully(session.started_at)], ["Closed", session.closed_at && fully(session.closed_at)],
    ["Because", session.reason && ofReason(session.reason)], ["Session", session.session_id]];
  const page = make("section", { class: "print", id: "print" },
    make("h1", {}, session.topic || "Chat"),
    make("dl", {}, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    more && make("p", {}, "Only the newest messages are on this page."),
    make("ol", {}, ...messages.map((message) => make("li", { class: message.note === undefined ? "" : "note" },
      make("b", {}, message.sender_name ?? message.sender_type ?? "Staff"), message.note === undefined ? " " : " (note) ", make("small", {}, fully(message.created_at)),
      make("p", {}, message.message ?? message.note ?? "")))));
  document.getElementById("print")?.remove();
  document.body.append(page);
  window.print();
}
