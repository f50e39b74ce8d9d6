// A match for whoever watches it: the board, the mat, raid by raid, and the figures. It says nothing to anybody.

import { $, tell } from "../../elements.js";
import { Board } from "../board.js";
import { keyed, matchId, watcher, watches } from "../door.js";
import { Follow } from "../follow.js";
import { connected } from "../link.js";
import { TEAMS } from "../match.js";
import { note } from "../note.js";
import { bench, mat } from "../mat.js";
import { awards, players, sources } from "../tables.js";
import { Timeline } from "../timeline.js";
import { ofRefusal } from "../words.js";

/** The raid's clock shows whole seconds: often enough for none to be skipped. */
const TICK_MS = 200;

const board = new Board();
const story = new Timeline($("story"), $("story-heard"));
const id = matchId();

function watch() {
  let drawn = "";
  let wanted = false;
  const client = connected(watcher, {
    meanwhile: "What happens meanwhile is not lost.",
    anew: () => (watcher.keep(null), location.reload()),
  });
  const follow = new Follow(client, String(id), {
    changed: () => {
      if (wanted) return;
      wanted = true;
      requestAnimationFrame(() => ((wanted = false), render()));
    },
  });

  function render() {
    const { state, match, refusal } = follow;
    if (refusal && !state) {
      const missing = refusal.code === "NOT_INITIALIZED" || refusal.code === "NOT_FOUND";
      const title = missing ? "There is no such match yet" : "This match does not open";
      const words = missing ? `Nobody has created “${id}”. It opens here as soon as there is one: look again, or create it.` : ofRefusal(refusal);
      return note(title, words, { again: () => follow.join(), create: missing });
    }
    if (!state) return;
    $("note").hidden = true;
    $("watch").hidden = false;
    board.show(state);
    board.tick(follow.now);
    tell("title", state.title);
    document.title = `${state.teamA.score}–${state.teamB.score} ${state.title} · Kulkul`;
    const shown = JSON.stringify([state.mat, state.revival, state.clock?.raid?.raiderId, state.playerStats]);
    if (shown !== drawn) {
      drawn = shown;
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

  $("all-story").addEventListener("click", () => void follow.whole().catch((error) => ($("story-heard").textContent = ofRefusal(error))));
  setInterval(() => !document.hidden && board.tick(follow.now), TICK_MS);
  client.connect();
  follow.join();
}

async function begin() {
  if (id === null) return note("Which match?", "The address names none: it ends with ?id= and the name of a match.");
  /** @type {HTMLAnchorElement} */ ($("to-sheet")).href = `../sheet/?id=${encodeURIComponent(id)}`;
  /** @type {HTMLAnchorElement} */ ($("note-create")).href = `../organize/?id=${encodeURIComponent(id)}`;
  const enter = () => (($("note").hidden = true), watch());
  try {
    if ((await watches()) === "in") return enter();
    note("This server asks who you are", "It gives no tokens away. Use the link that you were given, or put a token here.", { key: true });
    keyed(watcher, enter);
  } catch {
    note("The server does not answer", "Nothing is wrong with your link. Look again in a moment.", { again: () => location.reload() });
  }
}

$("board").append(board.element);
begin();
