// Connections, those that take the least first; and one of them: who it is, how far it got in its rooms, what waits, what happened to it.

import { button, make } from "../elements.js";
import { ask, toast } from "../overlays.js";
import { call, part } from "./ask.js";
import { ago, bytes, count, link, table, when } from "./shown.js";

const PAGE = 50;
const LOOK_MS = 2_000;
const HAPPENED = 50;

/** @param {any} one */
const stands = (one) => (one.behind ? "catching up" : one.stale ? "owes an answer" : one.waiting_bytes > 0 ? "something waits" : "takes all");

/** @param {any} one */
const row = (one) => [link(`#/connections/${one.id}`, one.user?.name || one.user?.id || "not proven"), one.mount, one.address ?? "–", count(one.rooms.length), bytes(one.waiting_bytes), count(one.sheds), stands(one), ago(one.since)];

/** @param {import("./console.js").Panel} panel @param {{asked: URLSearchParams}} address */
export function connections(panel, { asked }) {
  const [user, room, order] = ["user", "room", "order"].map((name) => asked.get(name) ?? "");
  const field = (/** @type {string} */ id, /** @type {string} */ label, /** @type {HTMLElement} */ input) => (input.id = id, make("div", { class: "field" }, make("label", { for: id }, label), input));
  const choice = /** @type {HTMLSelectElement} */ (make("select", { name: "order" }, make("option", { value: "" }, "slow first"), make("option", { value: "number" }, "by number")));
  choice.value = order;
  const form = make("form", { class: "filter", role: "search" },
    field("connections-user", "User’s id", make("input", { name: "user", value: user, placeholder: "any", autocomplete: "off", spellcheck: "false" })),
    field("connections-room", "Room", make("input", { name: "room", value: room, placeholder: "chat:general", autocomplete: "off", spellcheck: "false" })),
    field("connections-order", "Order", choice),
    make("button", { type: "submit" }, "Filter"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = new URLSearchParams(/** @type {any} */ (new FormData(/** @type {HTMLFormElement} */ (form))));
    for (const [name, value] of [...said]) if (value === "") said.delete(name);
    location.hash = `#/connections?${said}`;
  });
  const list = make("div", {});
  panel.show("Connections", "Those of this node. Ask each node for its own.", form, list);
  /** @type {any[]} */
  let all = [];
  const more = async (/** @type {string | null} */ after) => {
    const page = await call("connections", { query: { user, room, order, limit: PAGE, after } });
    if (panel.isOver) return;
    all = [...all, ...page.connections];
    const none = user || room ? "No connection of this node is like that. They may be at another node." : "Nobody is connected to this node.";
    panel.keep(() => list.replaceChildren(
      table("Connections", ["Who", "Mount", "Address", "Rooms#", "Waiting#", "Sheds#", "How it stands", "Since"], all.map(row), none),
      ...(page.silent_shards.length > 0 ? [make("p", { class: "trouble" }, `No answer in time of the shards ${page.silent_shards.join(", ")}: what is theirs is missing.`)] : []),
      ...(page.next ? [button("More connections", () => void panel.tries(() => more(page.next)), { class: "quiet", "data-does": "more" })] : []),
    ));
  };
  void panel.tries(() => more(null));
}

/** What one reads of an event. @param {any} event */
function happened(event) {
  const what = { joined: `came in (${event.how})`, behind: "fell behind: it goes on from the log", live: "has caught up", left: `left (${event.why})`, closed: `was closed: ${event.code} ${event.why}`, ended: "its socket ended" }[/** @type {string} */ (event.what)] ?? event.what;
  return [when(event.at), what, event.room ? link(`#/rooms/${part(event.room)}`, event.room) : "–", event.cursor ?? "–"];
}

/** @param {import("./console.js").Panel} panel @param {{name: string}} address */
export function connection(panel, { name }) {
  const whole = make("div", {});
  const past = make("div", {});
  panel.show("Connection", name, make("p", {}, link("#/connections", "← All connections")), whole, past);
  const end = async (/** @type {any} */ one) => {
    const who = one.user?.name || one.user?.id || "this connection";
    const why = await ask({ title: `Disconnect ${who}?`, words: "The connection ends with 4412: a client comes back after a moment. POST /revoke keeps somebody out.", does: "Disconnect", field: "Why, for the server’s log" });
    if (why === null) return;
    await panel.tries(async () => {
      await call(`connections/${name}`, { method: "DELETE", query: { why } });
      toast(`${who} is disconnected.`);
    });
  };
  const own = name.split("-").slice(1).join("-");
  let isGone = false;
  panel.every(LOOK_MS, async () => {
    // Ids are never given twice: who is gone is not asked for again.
    const one = isGone ? null : await call(`connections/${name}`).catch((error) => {
      if (error.status === 404) return null;
      throw error;
    });
    isGone = one === null;
    if (panel.isOver) return;
    if (one === null) {
      panel.keep(() => whole.replaceChildren(make("p", { class: "nothing" }, "It is not connected to this node, or no more. What happened to it is below, if it was here in the last hour.")));
    } else {
      panel.keep(() => whole.replaceChildren(
        make("dl", { class: "facts" },
          ...[["who", one.user ? `${one.user.name || one.user.id} (${one.user.id})` : "not proven"], ["how it stands", stands(one)], ["waiting", `${bytes(one.waiting_bytes)} in ${count(one.waiting_messages)} messages`], ["sheds", count(one.sheds)], ["mount", one.mount], ["address", `${one.address ?? "–"}${one.tls ? ", by TLS" : ""}`], ["since", `${when(one.since)}, ${ago(one.since)}`], ["heard", one.heard ? ago(one.heard) : "never: a stream of events"], ["token ends", one.token_ends ? when(one.token_ends) : "–"]].map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)))),
        ...(panel.may.includes("operate") ? [button("Disconnect", () => void end(one), { class: "grave", "data-does": "end" })] : []),
        table("Its rooms", ["Room", "Got to", "How"], one.rooms.map((/** @type {string} */ room, /** @type {number} */ index) => {
          const place = one.places[index];
          return [link(`#/rooms/${part(room)}`, room), place ? `${place.at.epoch}-${place.at.offset}` : "–", place ? (place.live ? "told what comes" : "catching up") : "waits to be let in"];
        }), "It is in no room."),
      ));
    }
    const { events } = await call("trace", { query: { limit: 2_000, user: one?.user?.id } }).catch((error) => {
      // Where operators and clients share a listener it is not served.
      if (error.status === 404) return { events: null };
      throw error;
    });
    const rows = events?.filter((/** @type {any} */ event) => event.connection === own).slice(-HAPPENED).reverse().map(happened);
    panel.keep(() => past.replaceChildren(rows ? table("What happened to it", ["When", "What", "Room", "At"], rows, "Nothing in the last hour.") : make("p", { class: "hint" }, "What happened to it stands at the operator’s own listener, GET /trace.")));
  });
}
