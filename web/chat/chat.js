// The chat page: the door, the parts and what passes between them. Rooms, order and catching up are the client's; what is
// here is what one sees of them.

import { Kulkul } from "../client/index.js";
import { $, colour, tell } from "../elements.js";
import { identity } from "../identity.js";
import { ask, menu, toast } from "../overlays.js";
import { tokens } from "../tokens.js";
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { Drawers } from "./drawers.js";
import { newRoom, settings } from "./moderation.js";
import { SAMPLES, addressed, between, isAlone, learn, nameOf } from "./names.js";
import { People } from "./people.js";
import { Rooms } from "./rooms.js";
import { Timeline, moderates } from "./timeline.js";
import { ofOutside, ofRefusal, ofStatus } from "./words.js";

/** @typedef {import("../client/index.js").Room} Room */
/** @typedef {import("../../clients/js/src/types.d.ts").Message} Message */

const REACTIONS = ["👍", "❤️", "😂", "🎉", "😮", "🥁", "👀", "✅"];

// ---------------------------------------------------------------- the door

function outside(words = "") {
  $("doorway").hidden = false;
  $("chat").hidden = true;
  tell("door-trouble", words);
  $($("key").hidden ? "name" : "token").focus();
}

$("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ ($("name"));
  const submit = /** @type {HTMLButtonElement} */ ($("door").querySelector("button"));
  const name = input.value.trim();
  if (name === "") return input.focus();
  tell("door-trouble", "");
  submit.disabled = true;
  try {
    if ((await identity.ask(name)) === "given") return enter();
    $("door").hidden = true;
    $("key").hidden = false;
    $("token").focus();
  } catch (error) {
    const silent = error instanceof TypeError;
    tell("door-trouble", silent ? "The server does not answer. Start it, then enter again." : `That did not work: ${/** @type {Error} */ (error).message}.`);
  } finally {
    submit.disabled = false;
  }
});

$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ ($("token"));
  if (!identity.paste(input.value.trim()) || !identity.now?.user) {
    tell("door-trouble", "That is no token: it has three parts with a dot between, and says who you are.");
    return;
  }
  input.value = "";
  enter();
});

// ---------------------------------------------------------------- inside

function enter() {
  const me = /** @type {{id: string, name: string}} */ (identity.now?.user);
  $("doorway").hidden = true;
  $("chat").hidden = false;
  tell("my-name", me.name);
  tell("my-id", me.id);
  colour($("my-face"), me);
  learn(me);

  const address = new URL("../ws", import.meta.url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const source = tokens(identity);
  const client = new Kulkul(address.href, { token: () => source.give(), user: me });
  const drawers = new Drawers();
  const announcer = new Announcer(me);
  let room = /** @type {Room | null} */ (null);
  let byWish = false;
  let stopTyping = () => {};

  const timeline = new Timeline(me, {
    reply: (message) => composer.reply(message),
    edit: (message) => composer.edit(message),
    remove: (message) => void remove(message),
    react: (message, reaction) => react(message, reaction),
    choose: (message, beside) => menu(beside, REACTIONS.map((reaction) => ({ words: reaction, does: () => react(message, reaction) })), "across"),
    retry: (pending) => void room?.retry(pending.id).catch(() => {}),
    discard: (pending) => room?.discard(pending.id),
    goTo: () => {},
  });
  const composer = new Composer(me, {
    lastOwn: () => timeline.lastOwn(),
    said: () => (timeline.place.toEnd(), timeline.soon()),
    toMessages: () => /** @type {HTMLElement | null} */ ($("messages").querySelector(".message[tabindex='0']"))?.focus(),
  });
  const rooms = new Rooms(client, me, (changed) => changed === room && tellRoom());
  const people = new People(me, (userId) => {
    location.hash = between(me.id, userId);
    drawers.close();
  });

  /** @param {Message} message */
  async function remove(message) {
    const mine = message.sender?.id === me.id;
    const sure = await ask({
      title: "Delete this message?",
      words: mine ? "Everybody sees that it was deleted, and nobody what it said." : `It is by ${message.sender?.name ?? "the room"}. Everybody sees that it was deleted, and nobody what it said.`,
      does: "Delete",
    });
    if (sure !== null) await room?.remove(message.id).catch((error) => toast(ofRefusal(error)));
  }

  /** @param {Message} message @param {string} reaction */
  function react(message, reaction) {
    const mine = message.payload.changes?.reactions?.find((one) => one.reaction === reaction)?.users.includes(me.id);
    const done = mine ? room?.unreact(message.id, reaction) : room?.react(message.id, reaction);
    done?.catch((error) => toast(ofRefusal(error)));
  }

  function tellStatus() {
    if (client.state === "open") source.taken();
    const { short, words, does, remedy } = ofStatus(client.status, byWish);
    const state = client.status.state;
    $("room-head").dataset.state = $("chat").dataset.state = state;
    tell("status", short);
    $("banner").hidden = words === "";
    $("banner").dataset.state = state;
    if ($("banner-words").textContent !== words) $("banner-words").textContent = words;
    tell("banner-do", does);
    $("banner-do").onclick = () => {
      if (remedy === "reload") location.reload();
      else if (remedy === "anew") leave();
      else back();
    };
    const isCut = byWish || state === "refused";
    $("cut").textContent = isCut ? "Come back" : "Go offline";
    $("cut").setAttribute("aria-pressed", String(isCut));
  }

  function back() {
    byWish = false;
    client.connect();
    tellStatus();
  }

  /** The head of the room, and what stands in its place if one is not in it. */
  function tellRoom() {
    if (!room) return;
    const { about, state } = room;
    const alone = isAlone(room);
    const title = rooms.titleOf(rooms.current);
    tell("room-title", `${rooms.isDirect(rooms.current) ? "" : "#"}${title}`);
    const sample = SAMPLES.find(({ name }) => name === rooms.current);
    const slow = about?.slow_mode_seconds ? `Slow mode: one message in ${about.slow_mode_seconds} s. ` : "";
    tell("topic", `${slow}${alone ? "Only the two of you can read this." : about?.topic || sample?.topic || ""}`);
    $("settings").hidden = alone || !about?.created || !moderates(room) || state !== "open";
    const out = state === "refused";
    const empty = $("empty");
    if (out) {
      const { title: head, words, again } = ofOutside(room.error);
      empty.dataset.of = "outside";
      empty.replaceChildren();
      const lines = [document.createElement("p"), document.createElement("p")];
      lines[0].append(Object.assign(document.createElement("b"), { textContent: head }));
      lines[1].textContent = words;
      empty.append(...lines);
      if (again) {
        const retry = Object.assign(document.createElement("button"), { type: "button", textContent: "Try again", className: "quiet" });
        retry.addEventListener("click", () => room && rooms.join(rooms.current, room));
        empty.append(retry);
      }
    } else if (empty.dataset.of === "outside") {
      empty.dataset.of = "";
    }
    if (empty.dataset.of !== "nobody") empty.hidden = !out;
    $("chat").classList.toggle("outside", out);
  }

  function tellTyping() {
    const names = (room?.typing ?? []).map(({ id, name }) => (learn({ id, name }), nameOf(id)));
    const words = names.length === 0 ? "\u00a0"
      : names.length === 1 ? `${names[0]} is typing…`
      : names.length === 2 ? `${names[0]} and ${names[1]} are typing…`
      : `${names.length} people are typing…`;
    if ($("typing").textContent !== words) $("typing").textContent = words;
  }

  function show() {
    const name = addressed() ?? SAMPLES[0].name;
    room = rooms.open(name);
    stopTyping();
    stopTyping = room.on("typing", tellTyping);
    rooms.join(name, room);
    timeline.show(room);
    composer.show(room);
    people.show(room);
    announcer.show(room);
    drawers.close();
    tellRoom();
    tellTyping();
  }

  function leave() {
    client.disconnect();
    identity.keep(null);
    location.reload();
  }

  client.on("state", tellStatus);
  client.on("error", (error) => toast(ofRefusal(/** @type {any} */ (error))));
  client.on("announcement", ({ payload }) => typeof payload?.text === "string" && toast(payload.text));
  $("cut").addEventListener("click", () => {
    if (byWish || client.state === "refused") return back();
    byWish = true;
    client.disconnect();
    tellStatus();
  });
  $("settings").addEventListener("click", () => room && settings(room, rooms.titleOf(rooms.current)));
  $("new-room").addEventListener("click", () => newRoom((name) => {
    location.hash = name;
    show();
    return /** @type {Room} */ (room);
  }));
  $("leave").addEventListener("click", leave);
  $("messages").addEventListener("keydown", (event) => keys(event, timeline, composer));
  addEventListener("hashchange", show);
  client.connect();
  tellStatus();
  void rooms.begin().then(() => rooms.soon());
  show();
  $("say").focus();
}

/** In the list of messages: arrows go through it, letters do what the signs beside a message do. @param {KeyboardEvent} event @param {Timeline} timeline @param {Composer} composer */
function keys(event, timeline, composer) {
  const target = /** @type {HTMLElement} */ (event.target);
  const item = /** @type {HTMLElement | null} */ (target.closest(".message"));
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return void (target === item ? $("say") : item).focus();
  const items = /** @type {HTMLElement[]} */ ([...$("messages").querySelectorAll(".message")]);
  const at = items.indexOf(item);
  const to = event.key === "ArrowUp" ? at - 1 : event.key === "ArrowDown" ? at + 1 : event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : null;
  if (to !== null) {
    event.preventDefault();
    const next = items[to];
    if (!next) return to >= items.length ? $("say").focus() : undefined;
    for (const one of items) one.tabIndex = one === next ? 0 : -1;
    next.focus();
    return;
  }
  const message = timeline.room?.message(item.dataset.id ?? "");
  if (!message || target !== item) return;
  const words = /** @type {Record<string, string>} */ ({ r: "Reply", e: "Edit", "+": "React", Delete: "Delete" })[event.key];
  const tool = words && /** @type {HTMLElement | null} */ (item.querySelector(`.tool[aria-label="${words}"]`));
  if (!tool) return;
  event.preventDefault();
  tool.click();
}

identity.recall();
if (identity.now?.user) enter();
else outside();
