// The supervisor's view: the boards of the departments, live, and any chat beside them to read, to note in, to speak in.

import { $ } from "../../elements.js";
import { toast } from "../../overlays.js";
import { alerts } from "../alerts.js";
import { Chats } from "../chats.js";
import { Conversation, announce } from "../conversation.js";
import { Department, departmentsOf } from "../departments.js";
import { Details } from "../details.js";
import { Doings } from "../doings.js";
import { LEADS, door, leave, staff } from "../door.js";
import { Duty } from "../duty.js";
import { help, listen } from "../keys.js";
import { connected } from "../link.js";
import { textOf } from "../session.js";
import { called, ofRefusal } from "../words.js";
import { Board } from "./board.js";

/** @typedef {import("../session.js").Session} Session */

const TICK_MS = 5_000;
const SESSION = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function enter() {
  /** @type {Department[]} */
  const departments = [];
  /** @type {Session | null} */
  let shown = null;
  const { client, me } = connected((state) => duty.connection(state), () => duty.fate);
  const duty = new Duty($("duty-place"), client, me, () => departments, () => board.soon());
  const chats = new Chats(client, me, { changed, listed: () => board.soon(), given: () => announce("A chat is yours") });
  const doings = new Doings(me, true, duty, () => departments, (id) => (location.hash = id));
  const board = new Board({ assign: (id, name) => void doings.assign(id, name), take: (id) => void doings.take(id) });
  const conversation = new Conversation($("talk"), me, doings, () => (location.hash = ""), () => look("details"));
  const details = new Details($("details"), doings, (name) => departments.find((department) => department.name === name)?.title ?? name, () => look("talk"));

  /** @param {"lists" | "talk" | "details"} view */
  function look(view) {
    const was = $("inside").dataset.view;
    $("inside").dataset.view = view;
    if (view === "details") $("hide-details").focus();
    else if (was === "details") $("show-details").focus();
  }

  /** @param {Session} session @param {string} what */
  function changed(session, what) {
    if (session !== shown) return;
    conversation.changed(what);
    if (what !== "messages" && what !== "customer" && what !== "typing") details.show(session);
    if (what === "customer") announce(`${called(session.about.customer)}: ${textOf(/** @type {any} */ (session.last)).slice(0, 140)}`);
  }

  function show() {
    const id = location.hash.slice(1);
    shown = SESSION.test(id) ? chats.get(id) : null;
    const opens = shown !== null && board.current === "";
    board.current = shown ? id : "";
    $("inside").dataset.view = shown ? "talk" : "lists";
    $("talk").hidden = !shown;
    conversation.show(shown);
    details.show(shown);
    board.render();
    alerts.title(0, shown ? called(shown.about.customer) : "Supervisor");
    if (opens) $("back").focus();
  }

  const shortcuts = [
    { code: "KeyN", shown: "N", words: "From message to note, and back", does: () => conversation.composer.turn(conversation.composer.mode === "note" ? "message" : "note") },
    { code: "KeyR", shown: "R", words: "Your replies", does: () => shown && conversation.composer.offer() },
    { code: "KeyT", shown: "T", words: "Hand the chat on", does: () => shown && !conversation.hand.hidden && void doings.transfer(shown) },
    { code: "KeyC", shown: "C", words: "Close the chat", does: () => shown && !conversation.close.hidden && void doings.close(shown) },
    { code: "KeyB", shown: "B", words: "Back to the tables", does: () => ((location.hash = ""), $("board").focus()) },
  ];
  listen(shortcuts);
  $("help").addEventListener("click", () => help(shortcuts));
  $("leave").addEventListener("click", async () => {
    if (duty.status !== "offline" && client.state === "open") await duty.choose("offline").catch(() => {});
    leave();
  });
  addEventListener("hashchange", show);
  addEventListener("pagehide", () => conversation.composer.keep());
  setInterval(() => board.tick(), TICK_MS);

  async function begin() {
    client.connect();
    client.inbox.open().catch(() => {
      // Her own chats are in the tables, too.
    });
    try {
      const names = await departmentsOf(/** @type {any} */ (staff.now), staff.claims());
      departments.push(...names.map((name) => new Department(client, name, () => (board.soon(), shown && conversation.render()))));
    } catch (error) {
      const silent = error instanceof TypeError;
      $("board-trouble").hidden = false;
      $("board-trouble").textContent = silent ? "The server does not answer. Load this page again when it is there." : `The departments are not known: ${/** @type {Error} */ (error).message}.`;
      return;
    }
    board.all = departments;
    for (const department of departments) department.join().catch(() => {});
    if (duty.status !== "offline") await Promise.all(departments.map((department) => duty.say(department))).catch((error) => toast(ofRefusal(error)));
    board.soon();
  }
  void begin();
  show();
}

door("supervisor", LEADS, enter);
