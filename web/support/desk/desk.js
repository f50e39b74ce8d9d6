// The agent's desk: the door, the parts and what passes between them.

import { $, button, tell } from "../../elements.js";
import { toast } from "../../overlays.js";
import { alerts } from "../alerts.js";
import { Chats } from "../chats.js";
import { Conversation, announce } from "../conversation.js";
import { Department, departmentsOf } from "../departments.js";
import { Details } from "../details.js";
import { Doings } from "../doings.js";
import { LEADS, door, leave, staff } from "../door.js";
import { Duty } from "../duty.js";
import { help, listen, pressed } from "../keys.js";
import { connected } from "../link.js";
import { textOf } from "../session.js";
import { called, ofRefusal } from "../words.js";
import { Lists } from "./lists.js";

/** @typedef {import("../session.js").Session} Session */

const TICK_MS = 5_000;
const SESSION = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function enter() {
  /** @type {Department[]} */
  const departments = [];
  /** @type {Session | null} */
  let shown = null;
  /** Given since one looked. @type {Set<string>} */
  const fresh = new Set();
  let trouble = "";
  const { client, me } = connected((state) => duty.connection(state), () => duty.fate);
  const duty = new Duty($("duty-place"), client, me, () => departments, () => (lists.soon(), tellEmpty()));
  const chats = new Chats(client, me, { changed, listed: () => (lists.soon(), tellEmpty(), tellTitle()), given });
  const doings = new Doings(me, LEADS.includes(staff.claims().role), duty, () => departments, (id) => (location.hash = id));
  const conversation = new Conversation($("talk"), me, doings, () => (location.hash = ""), () => look("details"));
  const titleOf = (/** @type {string} */ name) => departments.find((department) => department.name === name)?.title ?? name;
  const details = new Details($("details"), doings, titleOf, () => look("talk"));
  const lists = new Lists({ departments: () => departments, chats, hasDraft: (id) => conversation.composer.hasDraft(id), take: (id) => void doings.take(id), status: () => duty.status });

  /** Which of the parts is in front where there is place for one. @param {"lists" | "talk" | "details"} view */
  function look(view) {
    const was = $("inside").dataset.view;
    $("inside").dataset.view = view;
    if (view === "details") $("hide-details").focus();
    else if (was === "details") $("show-details").focus();
  }

  /** @param {Session} session @param {string} what */
  function changed(session, what) {
    if (session === shown) {
      conversation.changed(what);
      if (what !== "messages" && what !== "customer" && what !== "typing") details.show(session);
    }
    if (what === "customer") heard(session);
    lists.soon();
    tellTitle();
  }

  /** @param {Session} session in which the customer spoke */
  function heard(session) {
    const words = `${called(session.about.customer)}: ${textOf(/** @type {any} */ (session.last)).slice(0, 140)}`;
    if (session.isMine) announce(words);
    if (session.isMine && (document.hidden || session !== shown)) alerts.beat();
  }

  /** @param {Session} session */
  function given(session) {
    if (session !== shown) fresh.add(session.id);
    alerts.beat();
    announce("A new chat is yours");
    if (!shown && location.hash.length < 2 && matchMedia("(min-width: 56rem)").matches) location.hash = session.id;
  }

  function tellTitle() {
    const unread = chats.own.reduce((sum, id) => sum + (chats.open.get(id)?.unread ?? 0), 0);
    alerts.title(unread + [...fresh].filter((id) => chats.own.includes(id) && !chats.open.get(id)?.unread).length, shown ? called(shown.about.customer) : "Desk");
  }

  function tellEmpty() {
    if (trouble !== "") return conversation.says("The desk does not open", [trouble]);
    if (duty.status === "offline") {
      const on = button("Go online", () => void duty.choose("online").catch((error) => toast(ofRefusal(error))), { id: "go-online" });
      return conversation.says("You are off duty", ["Customers are given to you while you are online and have a free place."], on);
    }
    if (chats.own.length > 0) return conversation.says("Choose a chat", ["Yours are on the left; the ones with a number have something unread."]);
    if (duty.status === "online") return conversation.says("All is quiet", ["You are on duty: the next customer comes here by itself.", "To try it, start a chat as a customer in another window."]);
    conversation.says("No chat is yours", ["While you are busy or away none is given to you. Take one of those who wait, or go online."]);
  }

  function show() {
    const id = location.hash.slice(1);
    shown = SESSION.test(id) ? chats.get(id) : null;
    fresh.delete(id);
    lists.current = shown ? id : "";
    $("inside").dataset.view = shown ? "talk" : "lists";
    conversation.show(shown);
    details.show(shown);
    lists.render();
    tellEmpty();
    tellTitle();
    if (shown && matchMedia("(min-width: 56rem)").matches) $("say").focus();
  }

  /** @param {number} by */
  function step(by) {
    const { own } = chats;
    const at = own.indexOf(shown?.id ?? "");
    if (own.length > 0) location.hash = own[(at + by + own.length) % own.length];
  }

  const shortcuts = [
    { code: "KeyP", shown: "P", words: "Take the chat that is shown, or the first who waits", does: () => void doings.take(shown?.about.status === "waiting" ? shown.id : lists.waiting[0]?.entry.session_id ?? "") },
    { code: "KeyU", shown: "U", words: "To the next chat in which it is your turn", does: () => (location.hash = chats.own.find((id) => id !== shown?.id && chats.get(id).turn === "us") ?? location.hash) },
    { code: "ArrowDown", shown: "↓", words: "To the next chat", does: () => step(1) },
    { code: "ArrowUp", shown: "↑", words: "To the chat before", does: () => step(-1) },
    { code: "Digit", shown: "1 … 9", words: "To that one of your chats", does: () => (location.hash = chats.own[Number(pressed.at(-1)) - 1] ?? location.hash) },
    { code: "KeyN", shown: "N", words: "From message to note, and back", does: () => conversation.composer.turn(conversation.composer.mode === "note" ? "message" : "note") },
    { code: "KeyR", shown: "R", words: "Your replies", does: () => shown && conversation.composer.offer() },
    { code: "KeyT", shown: "T", words: "Hand the chat on", does: () => shown && !conversation.hand.hidden && void doings.transfer(shown) },
    { code: "KeyC", shown: "C", words: "Close the chat", does: () => shown && !conversation.close.hidden && void doings.close(shown) },
    { code: "KeyO", shown: "O", words: "Online, or busy", does: () => void duty.choose(duty.status === "online" ? "busy" : "online").catch((error) => toast(ofRefusal(error))) },
  ];
  listen(shortcuts);
  $("help").addEventListener("click", () => help(shortcuts));
  $("leave").addEventListener("click", async () => {
    // Those who wait for an answer are not to wait for a minute more.
    if (duty.status !== "offline" && client.state === "open") await duty.choose("offline").catch(() => {});
    leave();
  });
  const sound = $("sound");
  const tellSound = () => {
    sound.textContent = alerts.isOn ? "Sound on" : "Sound off";
    sound.setAttribute("aria-pressed", String(alerts.isOn));
  };
  alerts.recall();
  tellSound();
  sound.addEventListener("click", () => (alerts.turn(!alerts.isOn), tellSound()));
  addEventListener("hashchange", show);
  addEventListener("pagehide", () => conversation.composer.keep());
  setInterval(() => lists.tick(), TICK_MS);

  async function begin() {
    client.connect();
    client.inbox.open().catch((error) => toast(`Your own chats could not be listed. ${ofRefusal(error)}`));
    try {
      const names = await departmentsOf(/** @type {any} */ (staff.now), staff.claims());
      if (names.length === 0) throw new Error("your token names no department: its groups say which you serve, * for all");
      departments.push(...names.map((name) => new Department(client, name, () => (lists.soon(), doings.where(shown?.id ?? "") && conversation.render()))));
    } catch (error) {
      const why = /** @type {Error} */ (error).message;
      trouble = error instanceof TypeError ? "The server does not answer. Load this page again when it is there." : `${why[0].toUpperCase()}${why.slice(1)}.`;
      tellEmpty();
    }
    for (const department of departments) department.join().catch(() => {});
    if (duty.status !== "offline") await Promise.all(departments.map((department) => duty.say(department))).catch((error) => toast(ofRefusal(error)));
    lists.soon();
  }
  tell("bar-name", "Desk");
  void begin();
  show();
}

door("agent", ["agent", "supervisor", "admin"], enter);
