// The scorer's console: the door, the parts and what passes between them. What is said goes through the queue, so that it is the same
// with and without a connection; what is changed in the past goes at once, or not.

import { $, button, make, tell } from "../../elements.js";
import { menu, toast } from "../../overlays.js";
import { Board } from "../board.js";
import { door, leave, matchId, official } from "../door.js";
import { Follow } from "../follow.js";
import { connected } from "../../link.js";
import { Queue, drawn, isSame } from "../queue.js";
import { isNews, many, mayRaid, ofLine, ofRefusal } from "../words.js";
import { amending, correct, history, lastOf } from "./history.js";
import { keys } from "./keys.js";
import { more } from "./more.js";
import { Pad } from "./pad.js";
import { sceneOf, stage } from "./stage.js";
import { list, stuck } from "./waiting.js";

/** @typedef {import("../match.js").State} State */
/** @typedef {import("../match.js").Line} Line */
/** @typedef {import("../queue.js").Item} Item */

const TICK_MS = 200;
/** Refusals after which the same word is not said again by itself. */
const FINAL = new Set(["RULE", "FORBIDDEN", "INVALID_PAYLOAD", "MATCH_OVER", "FULL", "UNKNOWN_TYPE", "NOT_FOUND", "NOT_INITIALIZED", "TOO_LARGE"]);

function enter() {
  const id = matchId();
  const me = /** @type {{id: string, name: string}} */ (official.now?.user);
  tell("me", me.name);
  const board = new Board();
  $("board").append(board.element);
  if (id === null) return nowhere("Which match?", "The address names none: it ends with ?id= and the name of a match.", "");

  let wanted = false;
  let scene = "";
  let sending = false;
  /** Undo was pressed while what it is about is on its way. */
  let takesBack = false;
  const soon = () => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => ((wanted = false), render()));
  };
  const queue = new Queue(localStorage, `kulkul.scores.waiting.${id}.${me.id}`, soon);
  const client = connected(official, { meanwhile: "Score on: what you enter waits here and is sent when you are back.", anew: leave, changed: () => (soon(), void pump()) });
  const follow = new Follow(client, id, { lines: true, changed: (what, line) => (line && told(line), soon(), void pump()) });
  const amend = amending(follow, toast, drawn);
  const pad = new Pad({
    raid: (payload) => say("raid", { ...payload, raidNumber: expected()?.raidNumber }),
    start: (raiderId) => say("start_raid", { ...(raiderId && { raiderId }), raidNumber: expected()?.raidNumber }),
    ways: (beside, ways, chosen) => menu(beside, ways.map(([way, words]) => ({ words, does: () => chosen(way) }))),
  });

  /** The match with what still waits. @returns {State | null} */
  function expected() {
    return follow.state && queue.expected(follow.state, (at) => follow.skew.at(at));
  }

  /** @param {string} word @param {Record<string, any>} payload */
  function say(word, payload) {
    if (!queue.add(word, payload, Date.now())) return toast("No more fits into what waits here. Connect first, or drop some of it.");
    void pump();
  }

  /** What waits goes out in its order, one at a time. */
  async function pump() {
    if (sending || client.state !== "open" || !follow.room.isJoined) return;
    const item = queue.next;
    if (!item) return;
    sending = true;
    queue.sends(item.id);
    try {
      const { payload } = await follow.say(item.word, { ...item.payload, actionId: item.id });
      if (payload?.error === "conflict") conflict(item, payload.data);
      else queue.drop(item.id);
    } catch (error) {
      refused(item, error);
    } finally {
      sending = false;
    }
    const isDone = !queue.items.some(({ id: kept }) => kept === item.id);
    if (takesBack && isDone) undo();
    takesBack = false;
    void pump();
  }

  /** Somebody else was quicker with this raid. @param {Item} item @param {State} data */
  function conflict(item, data) {
    takesBack = false;
    follow.match.begin(data);
    const stands = data.raidLog.findLast((/** @type {Line} */ line) => line.raidNumber === item.payload.raidNumber) ?? null;
    if (item.word === "start_raid") queue.drop(item.id);
    else if (isSame(item.payload, stands)) {
      queue.drop(item.id);
      toast(`Raid ${item.payload.raidNumber} stands already, as you have it.`);
    } else queue.conflicts(item.id, stands);
  }

  /** @param {Item} item @param {unknown} error */
  function refused(item, error) {
    const { code } = /** @type {any} */ (error);
    if (!FINAL.has(code)) return queue.waits(item.id);
    // A clock that runs already has lost nothing.
    if (item.word === "start_raid") {
      queue.drop(item.id);
      return toast(ofRefusal(error, follow.state));
    }
    queue.refused(item.id, ofRefusal(error, follow.state));
    // The officials may have become others since one came.
    if (code === "FORBIDDEN") follow.again();
  }

  /** What others score appears at once. @param {Line} line */
  function told(line) {
    if (isNews(line) && follow.state) toast(ofLine(follow.state, line));
  }

  const does = {
    drop: (/** @type {Item} */ item) => (queue.drop(item.id), void pump()),
    anew: (/** @type {Item} */ item) => (queue.renumber(item.id, Number(follow.state?.raidNumber)), void pump()),
    correct: async (/** @type {Item} */ item) => {
      const stands = /** @type {any} */ (item.stands);
      if (await correct(follow, { ...stands, ...follow.match.lines.get(stands.number) }, amend, item.payload)) does.drop(item);
    },
  };

  function render() {
    const state = expected();
    const waits = queue.open.length;
    $("waits").hidden = waits === 0 || (waits === 1 && client.state === "open" && queue.stuck.length === 0);
    tell("waits", `${waits} ${waits === 1 ? "waits" : "wait"}`);
    if (waits === 0) $("waits").hidden = true;
    if (!state) return outside();
    tell("title", state.title);
    document.title = `${state.teamA.score}–${state.teamB.score} ${state.title} · scorer`;
    board.element.hidden = false;
    board.show(state);
    $("stuck").replaceChildren(...stuck(state, queue, does));
    const may = follow.role !== "viewer";
    const now = sceneOf(state) + may;
    if (now !== scene) {
      scene = now;
      $("stage").replaceChildren(...(may ? stage(state, { say, pad: pad.element, sheet: `../sheet/?id=${encodeURIComponent(id ?? "")}` }) : [watching()]));
    }
    if (may && mayRaid(state.phase) && state.raidingTeam) pad.show(state);
    tick();
    const last = follow.match.inOrder.findLast((line) => !line.undone && (isNews(line) || line.action?.type === "start_raid"));
    const amendable = lastOf(follow.match.inOrder);
    $("last").hidden = false;
    const waiting = queue.open.at(-1);
    tell("last-words", waits > 0 && waiting ? `${many(waits, "action")} not sent yet` : last ? ofLine(state, last) : "Nothing yet.");
    const undo = /** @type {HTMLButtonElement} */ ($("undo"));
    undo.disabled = waits > 0 ? false : !amendable || client.state !== "open" || (state.phase === "ended" && follow.role !== "organizer");
    undo.title = waits > 0 ? "Takes back what was entered last and is not sent yet" : amendable ? `Undo: ${ofLine(state, amendable)}` : "There is nothing to undo";
    for (const name of ["more"]) /** @type {HTMLButtonElement} */ ($(name)).disabled = state.phase === "setup" || state.phase === "ended";
  }

  function tick() {
    board.tick(follow.now);
    pad.tick(follow.now);
  }

  const watching = () => make("section", { class: "card setup-card step" }, make("h2", {}, "You only watch here"),
    make("p", {}, "The organizer has named the officials of this match, and you are none of them. Ask to be named: your id is ", make("code", {}, me.id), "."));

  function outside() {
    board.element.hidden = true;
    const { refusal } = follow;
    if (refusal) return nowhere("This match does not open", ofRefusal(refusal), "");
    if (follow.unborn) nowhere("There is no such match yet", `Nobody has created “${id}”.`, `../organize/?id=${encodeURIComponent(id ?? "")}`);
  }

  function undo() {
    const waiting = queue.open.at(-1);
    takesBack = waiting?.state === "sending";
    if (waiting) return takesBack ? undefined : queue.drop(waiting.id);
    const last = lastOf(follow.match.inOrder);
    if (client.state !== "open") return toast("Undo needs the connection: what was sent is the server's to take back.");
    if (last) void amend("undo", { number: last.number }).then((done) => done && toast(`Undone: ${ofLine(/** @type {State} */ (follow.state), last)}`));
  }

  const shows = {
    undo, help: () => {},
    history: () => follow.state && history(follow, amend),
    more: () => {
      const state = expected();
      if (state && !(/** @type {HTMLButtonElement} */ ($("more")).disabled)) more(state, say, { now: () => follow.now, tell: toast });
    },
  };
  $("undo").addEventListener("click", undo);
  $("history").addEventListener("click", shows.history);
  $("more").addEventListener("click", shows.more);
  $("waits").addEventListener("click", () => follow.state && list(follow.state, queue, does.drop));
  const help = keys({ ...shows, pad: (key) => pad.element.isConnected && pad.press(key) });
  $("menu-open").addEventListener("click", (event) => menu(/** @type {HTMLElement} */ (event.currentTarget), [
    { words: "Keys", does: help },
    { words: "Watch this match", does: () => open(`../match/?id=${encodeURIComponent(id ?? "")}`, "_blank", "noopener") },
    { words: "Score sheet", does: () => open(`../sheet/?id=${encodeURIComponent(id ?? "")}`, "_blank", "noopener") },
    { words: "Leave", does: leave },
  ]));
  setInterval(() => !document.hidden && tick(), TICK_MS);
  client.connect();
  follow.join();
  soon();
}

/** @param {string} title @param {string} words @param {string} create */
function nowhere(title, words, create) {
  $("stage").replaceChildren(make("section", { class: "card setup-card step" }, make("h1", {}, title), make("p", {}, words),
    make("div", { class: "row" }, create && make("a", { class: "button", href: create, id: "create" }, "Create it"), make("a", { class: "button quiet", href: "../" }, "All matches"),
      button("Enter as somebody else", leave, { class: "quiet" }))));
}

door("scorer", ["scorer", "organizer", "admin"], enter);
