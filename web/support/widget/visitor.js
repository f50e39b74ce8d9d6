// The visitor's window: its parts, and what passes between them. Order, catching up and sending again are the client's; what is
// here is what one sees of them.

import { $, colour, face, listed, make, tell } from "../../elements.js";
import { menu } from "../../overlays.js";
import { Announcer } from "./announcer.js";
import { Begin } from "./begin.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Course } from "./course.js";
import { list } from "./earlier.js";
import { Host, settings } from "./host.js";
import { kept, onChange } from "./kept.js";
import { sound } from "./sound.js";
import { Timeline } from "./timeline.js";
import { ofStatus } from "./words.js";

/** @typedef {import("./kept.js").Session} Session */
/** @typedef {"begin" | "talk" | "earlier"} Part */

kept.recall();
sound.otherwise = settings.sound;
tell("title", settings.title);
document.title = settings.title;

let conversation = /** @type {Conversation | null} */ (null);
let part = /** @type {Part | null} */ (null);
let unread = 0;
/** An answer may come. @type {boolean | null} */
let waits = null;

const host = new Host({
  opened: (focus) => {
    timeline.soon();
    if (focus) focusPart();
  },
  closed: () => {},
});
const looks = () => host.isShown && part === "talk";
const announcer = new Announcer();
const timeline = new Timeline(looks);
const composer = new Composer(() => timeline.toEnd());
const course = new Course(() => anew());
const begin = new Begin((session) => enter(session), () => show("talk"));

// ---------------------------------------------------------------- parts

/** @param {Part} next */
function show(next) {
  part = next;
  for (const name of ["begin", "talk", "earlier"]) $(name).hidden = name !== next;
  if (next === "earlier") list((session) => (session.id === conversation?.session.id ? show("talk") : enter(session), focusPart()));
  tellAll();
  if (next === "talk") timeline.soon();
  if (host.isShown) focusPart();
}

/** Where one goes on. */
function focusPart() {
  if (part === "begin") begin.focus();
  else if (part === "earlier") /** @type {HTMLElement | null} */ ($("sessions").querySelector("button"))?.focus();
  else ($("composer").hidden ? $("over-words") : $("say")).focus();
}

/** To the form, with what was written and could not be said. */
function anew() {
  const isLost = conversation?.isLost === true;
  const unsent = isLost ? (conversation?.room.pending ?? []).map(({ payload }) => String(payload.message)) : [];
  const draft = [...unsent, composer.take()].filter((text) => text !== "").join("\n\n");
  if (draft !== "") kept.keep({ draft });
  begin.show(draft, conversation !== null && !isLost);
  show("begin");
}

/** @param {Session} session */
function enter(session) {
  conversation?.end();
  if (conversation?.isLost) kept.drop(conversation.session.id);
  kept.keep({ current: session.id });
  const fresh = new Conversation(session, {
    changed: () => fresh === conversation && tellAll(),
    messages: (change) => {
      if (fresh !== conversation) return;
      timeline.changed(change);
      tellAll();
    },
    arrived: (message) => {
      if (fresh !== conversation) return;
      timeline.arrived(message);
      if (fresh.isOwn(message)) return;
      announcer.arrived(message);
      if (!host.isShown) sound.beat();
    },
    lists: () => part === "earlier" && show("earlier"),
  });
  conversation = fresh;
  fresh.begin();
  timeline.show(fresh);
  composer.show(fresh);
  course.show(fresh);
  show("talk");
}

// ---------------------------------------------------------------- what is told of it

function tellAll() {
  course.render();
  if (part === "talk") void timeline.began();
  tellHead();
  tellBanner();
  tellTyping();
  tellUnread();
}

function tellHead() {
  const about = part === "talk" ? conversation?.about : null;
  const words = part === "talk" ? course.words() : part === "earlier" ? "What you have asked before" : "A person answers you here";
  tell("status", words);
  if (part === "talk") announcer.stands(words);
  const isOn = conversation?.client.state === "open" && !conversation.isLost;
  const state = part !== "talk" || about?.status === "closed" ? "none" : !isOn ? "offline" : about?.status === "active" ? (conversation?.isAlone ? "offline" : "open") : "connecting";
  $("names").dataset.state = state;
  const agent = about?.status === "active" ? about.agent : undefined;
  const sign = $("sign");
  if (sign.dataset.of === (agent?.id ?? "")) return tellMenu();
  sign.dataset.of = agent?.id ?? "";
  sign.replaceChildren(agent ? colour(face(agent), agent) : make("img", { src: "../../icon.svg", alt: "", width: "36", height: "36" }));
  tellMenu();
}

function tellMenu() {
  $("more").hidden = part !== "talk" || conversation === null;
}

function tellBanner() {
  const status = conversation?.client.status;
  const { words, does } = part === "talk" && status && !conversation?.isLost ? ofStatus(status) : { words: "", does: "" };
  $("banner").hidden = words === "";
  if (status) $("banner").dataset.state = status.state;
  if ($("banner-words").textContent !== words) $("banner-words").textContent = words;
  tell("banner-do", does);
}

function tellTyping() {
  const names = conversation?.about?.status === "active" ? conversation.room.typing.map(({ name }) => name) : [];
  const words = names.length === 0 ? "" : `${listed(names)} ${names.length === 1 ? "is" : "are"} writing…`;
  if ($("typing").textContent !== words) $("typing").textContent = words;
}

function tellUnread() {
  const count = conversation?.unread ?? 0;
  if (conversation?.isLost) tellWaits(false);
  else if (conversation?.status) tellWaits(conversation.status !== "closed" || count > 0);
  if (count === unread) return;
  unread = count;
  host.tell("unread", { count });
  document.title = count > 0 ? `(${count}) ${settings.title}` : settings.title;
}

/** Whether the next page is to have the window behind its closed button. @param {boolean} is */
function tellWaits(is) {
  if (is === waits) return;
  waits = is;
  host.tell(is ? "begun" : "over");
}

// ---------------------------------------------------------------- what one can do

$("banner-do").addEventListener("click", () => conversation?.client.connect());
$("earlier-back").addEventListener("click", () => (show("talk"), focusPart()));
$("earlier-anew").addEventListener("click", () => anew());
$("shut").addEventListener("click", () => host.tell("close"));
$("shut").hidden = host.origin === null;

$("more").addEventListener("click", () => {
  const about = conversation?.about;
  const isOpen = about?.status === "waiting" || about?.status === "active";
  const asks = isOpen && !about?.agent;
  menu($("more"), [
    ...(asks ? [{ words: "Ask for a person", does: () => void course.person() }] : []),
    ...(isOpen ? [{ words: "Leave a contact", does: () => course.contact() }] : []),
    ...(about ? [{ words: "Save the transcript", does: () => void course.save() }] : []),
    ...(kept.now.sessions.length > 1 ? [{ words: "Your conversations", does: () => show("earlier") }] : []),
    { words: sound.isOn ? "Sound: on" : "Sound: off", does: () => sound.turn() },
    { words: "Start a new one", does: () => anew() },
    ...(isOpen ? [{ words: "End this conversation", does: () => void course.end(), grave: true }] : []),
  ]);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
  if (document.querySelector("dialog[open], :popover-open")) return;
  if (part === "earlier") show("talk");
  else host.tell("close");
});
document.addEventListener("visibilitychange", () => timeline.soon());

// What waits for a connection ends with the page; its words do not. The first message is kept with its conversation.
addEventListener("pagehide", () => {
  const waiting = (conversation?.room.pending ?? []).filter(({ state }) => state !== "sending").map(({ payload }) => String(payload.message));
  const unsent = waiting.filter((text) => text !== conversation?.session.first);
  if (unsent.length > 0) kept.keep({ draft: [...unsent, kept.now.draft].filter((text) => text !== "").join("\n\n") });
});

/** Another window of the same browser begins one, or goes on with another. */
onChange(() => {
  const { current } = kept;
  if (part === "earlier") show("earlier");
  else if (part === "begin" && conversation === null && current && begin.isEmpty) enter(current);
});

const { current } = kept;
if (current) {
  enter(current);
} else {
  begin.show(kept.now.draft, false);
  show("begin");
}
