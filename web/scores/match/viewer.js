// A match for whoever watches it: the board, the mat, raid by raid, and the figures. It says nothing to anybody.

import { $, tell } from "../../elements.js";
import { Board } from "../board.js";
import { keyed, matchId, watcher, watches } from "../door.js";
import { Follow } from "../follow.js";
import { connected, shown } from "../../link.js";
import { TEAMS } from "../match.js";
import { note, wantsToken } from "../note.js";
import { bench, mat } from "../mat.js";
import { Open } from "../open.js";
import { awards, players, sources } from "../tables.js";
import { Timeline } from "../timeline.js";
import { ofRefusal } from "../words.js";

/** The raid's clock shows whole seconds: often enough for none to be skipped. */
const TICK_MS = 200;

const board = new Board();
const story = new Timeline($("story"), $("story-heard"));
const id = matchId();

/** @type {Follow} */
let follow;
let drawn = "";
let wanted = false;

/** @param {"in" | "open"} how with a token, or without one */
function watch(how) {
  const page = { meanwhile: "What happens meanwhile is not lost.", anew: () => (watcher.keep(null), location.reload()) };
  const client = how === "in" ? connected(watcher, page) : shown(new Open(String(id)), page);
  follow = new Follow(client, String(id), {
    changed: () => {
      if (wanted) return;
      wanted = true;
      requestAnimationFrame(() => ((wanted = false), render()));
    },
  });
  client.connect();
  follow.join();
}

function render() {
  const { state, match, refusal } = follow;
  if (refusal && !state) return missing(refusal);
  if (!state) return;
  $("note").hidden = true;
  $("watch").hidden = false;
  board.show(state);
  board.tick(follow.now);
  tell("title", state.title);
  document.title = `${state.teamA.score}–${state.teamB.score} ${state.title} · Kulkul`;
  const now = JSON.stringify([state.mat, state.revival, state.clock?.raid?.raiderId, state.playerStats]);
  if (now !== drawn) {
    drawn = now;
    $("mat").replaceChildren(mat(state));
    $("queues").replaceChildren(...TEAMS.map((key) => bench(state, key)));
    $("squads").replaceChildren(...TEAMS.map((key) => players(state, key)));
  }
  $("sources").replaceChildren(sources(state));
  $("awards").replaceChildren(awards(state));
  const lines = match.inOrder;
  story.show(state, lines);
  $("no-story").hidden = $("story").childElementCount > 0;
  $("all-story").hidden = match.whole || lines.length === state.actions;
}

/** @param {import("../note.js").Refusal} refusal */
function missing(refusal) {
  const unknown = refusal.code === "NOT_INITIALIZED" || refusal.code === "NOT_FOUND";
  if (unknown) return note("There is no such match yet", `Nobody has created “${id}”. It opens here as soon as there is one: look again, or create it.`, { again: () => follow.join(), create: true });
  const asks = (follow.client instanceof Open || watcher.now?.pasted) && wantsToken(refusal);
  if (asks) return note(asks.title, asks.words, { key: true });
  note("This match does not open", ofRefusal(refusal), { again: () => follow.join() });
}

async function begin() {
  if (id === null) return note("Which match?", "The address names none: it ends with ?id= and the name of a match.");
  /** @type {HTMLAnchorElement} */ ($("to-sheet")).href = `../sheet/?id=${encodeURIComponent(id)}`;
  /** @type {HTMLAnchorElement} */ ($("note-create")).href = `../organize/?id=${encodeURIComponent(id)}`;
  $("all-story").addEventListener("click", () => void follow.whole().catch((error) => ($("story-heard").textContent = ofRefusal(error))));
  keyed(watcher, () => {
    $("note").hidden = true;
    follow.leave();
    follow.client.disconnect();
    watch("in");
  });
  try {
    watch(await watches());
    setInterval(() => !document.hidden && board.tick(follow.now), TICK_MS);
  } catch {
    note("The server does not answer", "Nothing is wrong with your link. Look again in a moment.", { again: () => location.reload() });
  }
}

$("board").append(board.element);
begin();
