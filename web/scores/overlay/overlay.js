// The score over a picture: the name of each side, the score, the clocks, and the flags of the raid to come. It follows the match and
// says nothing of its connection: what is shown stays until there is something newer.

import { backoff } from "../../client/backoff.js";
import { Kulkul } from "../../client/index.js";
import { $, make, tell } from "../../elements.js";
import { tokens } from "../../tokens.js";
import { flags, turn } from "../board.js";
import { halfLeft, minutes, raidLeft, seconds, timeOutLeft } from "../clock.js";
import { matchId, watcher, watches } from "../door.js";
import { Follow } from "../follow.js";
import { Open } from "../open.js";
import { isHalf, ofPhase, ofResult } from "../words.js";

const TICK_MS = 200;
const URGENT_MS = 10_000;
/** An overlay is put up before the match is there, and nobody presses anything on it. */
const AGAIN_MS = 10_000;
const CORNERS = ["bottom-left", "bottom-right", "top-left", "top-right", "top", "bottom"];

const id = matchId();
const corner = new URLSearchParams(location.search).get("corner") ?? "bottom-left";
document.body.dataset.corner = CORNERS.includes(corner) ? corner : "bottom-left";

/** A match that nobody has made yet is waited for without a word. */
const ASKS = /** @type {Record<string, string>} */ ({
  UNAUTHORIZED: "This server asks who watches. Put a viewer's token behind the address, as #token=…",
  FORBIDDEN: "This match is not public. Put a token for it behind the address, as #token=…",
});

/** @param {string} words */
const note = (words) => tell("note", words);

function member() {
  const address = new URL("../../ws", import.meta.url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const source = tokens(watcher);
  const client = new Kulkul(address.href, { token: () => source.give(), user: watcher.now?.user ?? undefined });
  client.on("state", ({ state }) => {
    if (state === "open") source.taken();
    // A token of the demo mode ends some day: the page begins again with another one.
    if (state === "refused") watcher.keep(null);
  });
  return client;
}

/** @param {"in" | "open"} how with a token, or without one */
function watch(how) {
  const client = how === "in" ? member() : new Open(String(id));
  const follow = new Follow(client, String(id), { changed: () => render() });
  const render = () => {
    const { state, refusal } = follow;
    if (!state) return refusal && how === "open" ? note(ASKS[refusal.code] ?? "") : undefined;
    $("bug").hidden = false;
    note("");
    tell("name-a", state.teamA.name);
    tell("name-b", state.teamB.name);
    for (const [place, score] of [["score-a", state.teamA.score], ["score-b", state.teamB.score]]) $(place).textContent = String(score);
    tell("phase", state.result ? "Full time" : ofPhase(state.phase));
    tell("turn", state.result ? ofResult(state) : turn(state));
    $("flags").replaceChildren(...flags(state).map(([kind, words]) => make("li", { class: `flag ${kind}` }, words)));
    $("foot").dataset.empty = String($("turn").hidden && $("flags").childElementCount === 0);
    tick();
  };
  const tick = () => {
    const { state, now } = follow;
    if (!state) return;
    const half = isHalf(state.phase) ? halfLeft(state.clock, now) : null;
    $("clock").textContent = minutes(half);
    const [raid, out] = [raidLeft(state.clock, now), timeOutLeft(state.timeOut, now)];
    tell("raid", raid !== null ? seconds(raid) : out !== null ? minutes(out) : "");
    $("raid").dataset.urgent = String(raid !== null && raid <= URGENT_MS);
  };
  client.on("state", ({ state }) => (document.body.dataset.state = state));
  setInterval(tick, TICK_MS);
  setInterval(() => {
    if (follow.refusal) follow.join();
    if (client.state !== "refused") return;
    if (how === "in") location.reload();
    else client.connect();
  }, AGAIN_MS);
  client.connect();
  follow.join();
}

async function begin(attempt = 0) {
  if (id === null) return note("Which match? The address of this page ends with ?id= and the name of a match; &corner=top-right moves the score.");
  try {
    watch(await watches());
  } catch {
    // The server is not there yet.
    setTimeout(() => begin(attempt + 1), backoff(attempt, Math.random()));
  }
}

begin();
