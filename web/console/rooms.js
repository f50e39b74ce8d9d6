// Rooms that are open on the node, and one of them: who is in it, what its log keeps, what is to be done about it, and how it was.

import { button, make } from "../elements.js";
import { ask, toast } from "../overlays.js";
import { Refused, call, part } from "./ask.js";
import { replay } from "./replay.js";
import { bytes, count, json, link, position, table, when } from "./shown.js";

const PAGE = 50;
const TAIL = 20;
const LOOK_MS = 5_000;

/** @param {any} one */
const row = (one) => [link(`#/rooms/${part(one.room)}`, one.room), one.app, one.state, count(one.members), count(one.users), position(one.last), one.steward ? "yes" : ""];

/** @param {import("./console.js").Panel} panel @param {{asked: URLSearchParams}} address */
export function rooms(panel, { asked }) {
  const [prefix, app, members] = ["prefix", "app", "members"].map((name) => asked.get(name) ?? "");
  const field = (/** @type {string} */ id, /** @type {string} */ label, /** @type {HTMLElement} */ input) => (input.id = id, make("div", { class: "field" }, make("label", { for: id }, label), input));
  const choice = /** @type {HTMLSelectElement} */ (make("select", { name: "members" }, make("option", { value: "" }, "all"), make("option", { value: "yes" }, "with members here"), make("option", { value: "no" }, "without")));
  choice.value = members;
  const form = make("form", { class: "filter", role: "search" },
    field("rooms-prefix", "Begins with", make("input", { name: "prefix", value: prefix, placeholder: "chat:", autocomplete: "off", spellcheck: "false" })),
    field("rooms-app", "App", make("input", { name: "app", value: app, placeholder: "any", autocomplete: "off", spellcheck: "false" })),
    field("rooms-members", "Members", choice),
    make("button", { type: "submit" }, "Filter"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = new URLSearchParams(/** @type {any} */ (new FormData(/** @type {HTMLFormElement} */ (form))));
    for (const [name, value] of [...said]) if (value === "") said.delete(name);
    location.hash = `#/rooms?${said}`;
  });
  const list = make("div", {});
  panel.show("Rooms", "Those that are open on this node, by name. Others are in the engine until somebody comes: name one to see it.", form, list);

  /** @type {any[]} */
  let all = [];
  const more = async (/** @type {string | null} */ after) => {
    const page = await call("rooms", { query: { prefix, app, members, limit: PAGE, after } });
    if (panel.isOver) return;
    all = [...all, ...page.rooms];
    const filtered = prefix || app || members;
    const none = filtered ? "No open room is like that. A room that nobody of this node is in is not listed: its name leads to it." : "No room is open. Rooms open when somebody joins.";
    panel.keep(() => list.replaceChildren(
      table("Rooms", ["Room", "App", "State", "Members#", "Users#", "Last record", "Steward"], all.map(row), none),
      ...(page.next ? [button("More rooms", () => void panel.tries(() => more(page.next)), { class: "quiet", "data-does": "more" })] : []),
      ...(prefix.includes(":") ? [make("p", {}, link(`#/rooms/${part(prefix)}`, `Look at ${prefix}`))] : []),
    ));
  };
  void panel.tries(() => more(null));
}

/** What is shown of a record's content. @param {any} record */
function content(record) {
  if (record.state === "erased") return make("p", { class: "nothing" }, "Erased: nothing is kept of it but its place.");
  if (record.state === "foreign") return make("p", { class: "nothing" }, "This node cannot read it: it is of a newer version, or damaged.");
  if (record.json === null && record.bytes > 0) return make("p", { class: "nothing" }, `${bytes(record.bytes)} that are not JSON, or too many to be shown.`);
  return json(record.json, `Content of ${position(record.at)}`);
}

/** @param {any} record @param {string} name */
function entry(record, name) {
  const id = position(record.at);
  return make("li", { class: "record" },
    make("p", { class: "record-head" }, make("b", {}, record.author?.name || record.author?.id || "the room"), make("span", { class: "hint" }, [record.kind, id, record.stored && when(record.stored)].filter(Boolean).join(" · ")),
      link(`#/explain?room=${encodeURIComponent(name)}&offset=${id}`, "Who got it?", { "aria-label": `Who got ${id}?` })),
    content(record));
}

/** What a look into the log is refused with, where the key may not read it. @param {unknown} error */
function unread(error) {
  if (error instanceof Refused && (error.status === 403 || error.status === 409)) return error.message;
  throw error;
}

/** @param {import("./console.js").Panel} panel @param {{name: string}} address */
export function room(panel, { name }) {
  const head = make("div", {});
  const tail = make("div", {});
  const past = make("div", {});
  const mayAct = panel.may.includes("operate");
  panel.show(name, "", make("p", {}, link("#/rooms", "← All rooms")), head, tail, past);

  const kick = async (/** @type {{id: string, name: string}} */ user) => {
    const why = await ask({ title: `Put ${user.name || user.id} out of ${name}?`, words: "All their connections leave the room, on every node. They may come back: what keeps somebody out is the app’s own ban.", does: "Put out", field: "Why, for the server’s log" });
    if (why === null) return;
    await panel.tries(async () => {
      const told = await call(`rooms/${part(name)}/kick`, { method: "POST", body: { user: user.id, why: why || undefined } });
      toast(`${user.name || user.id} is put out; ${count(told.here)} of this node’s connections were theirs.`);
      await look();
    });
  };
  const release = async () => {
    const answer = await ask({ title: `Try ${name} again?`, words: "It is read from its log anew. If its app still cannot fold it, it is quarantined again.", does: "Try again" });
    if (answer === null) return;
    await panel.tries(async () => {
      await call(`rooms/${part(name)}/release`, { method: "POST" });
      toast(`${name} is read again.`);
      await look();
    });
  };

  /** @type {string} */
  let last = "";
  const look = async () => {
    const whole = await call(`rooms/${part(name)}`);
    if (panel.isOver) return;
    const { room: line, members, present, kept, says } = whole;
    const does = (/** @type {any} */ user) => (mayAct ? button("Put out", () => void kick(user), { class: "quiet slim", "data-does": `kick ${user.id}`, "aria-label": `Put ${user.name || user.id} out` }) : "");
    panel.keep(() => {
      panel.says(`App ${line.app} · ${line.state === "not_loaded" ? "not open on this node" : line.state}${line.steward ? " · this node is its steward" : ""}`);
      head.replaceChildren(
        ...(line.state === "quarantined" || line.state === "damaged" ? [make("div", { class: "trouble" }, make("p", {}, line.state === "quarantined" ? `Its app panicked on what is stored (ref ${line.ref}): it is read, and nothing is added. The log has the line.` : `What is stored of it is damaged (ref ${line.ref}); it is asked for again and again. Restore a backup.`),
          line.state === "quarantined" && mayAct && button("Try it again", () => void release(), { "data-does": "release" }))] : []),
        ...(says ? [make("p", { class: "hint" }, says)] : []),
        make("dl", { class: "facts" },
          ...[["last record", position(line.last)], ["kept", kept ? `${kept.from.offset} to ${kept.to.offset}` : "nothing yet"], ["connections here", count(line.members)], ["users on all nodes", count(line.users)]].map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)))),
        table("Members here", mayAct ? ["Who", "Id", "Connection", "Do"] : ["Who", "Id", "Connection"], members.map((/** @type {any} */ one) => [one.user.name || one.user.id, one.user.id, link(`#/connections/${one.connection}`, one.connection), ...(mayAct ? [does(one.user)] : [])]), "Nobody of this node is in it."),
        table("Present, on all nodes", mayAct ? ["Who", "Id", "Do"] : ["Who", "Id"], present.map((/** @type {any} */ one) => [one.name || one.id, one.id, ...(mayAct ? [does(one)] : [])]), "Nobody is there."),
      );
    });
    const now = position(line.last);
    if (now !== last || now === "–") {
      last = now;
      await log();
    }
  };
  const log = async () => {
    const page = await call(`rooms/${part(name)}/log`, { query: { limit: TAIL } }).catch(unread);
    if (panel.isOver) return;
    const shown = make("section", { class: "part" }, make("h2", {}, "The end of its log"));
    if (typeof page === "string") shown.append(make("p", { class: "nothing" }, `Not shown: ${page}.`));
    else if (page.records.length === 0) shown.append(make("p", { class: "nothing" }, page.head.offset > 0 ? "No record is kept." : "Nothing happened here yet."));
    else shown.append(make("p", { class: "hint" }, `The last ${page.records.length} records, as they are stored, the newest at the end.`), make("ol", { class: "records" }, ...page.records.map((/** @type {any} */ record) => entry(record, name))));
    panel.keep(() => tail.replaceChildren(shown));
  };
  panel.every(LOOK_MS, look);
  replay(panel, past, name);
}
