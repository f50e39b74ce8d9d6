// The score over a picture: the name of each side, the score, the clocks, and the flags of the raid to come. It follows the match and
// says nothing of its connection: what is shown stays until there is something newer.

import { Kulkul } from "../../client/index.js";
import { $, make, tell } from "../../elements.js";
import { tokens } from "../../tokens.js";
import { flags, turn } from "../board.js";
import { halfLeft, minutes, raidLeft, seconds, timeOutLeft } from "../clock.js";
import { matchId, watcher, watches } from "../door.js";
import { Follow } from "../follow.js";
import { isHalf, ofPhase, ofResult } from "../words.js";

const TICK_MS = 200;
const URGENT_MS = 10_000;
/** An overlay is put up before the match is there, and nobody presses anything on it. */
const AGAIN_MS = 10_000;
const CORNERS = ["bottom-left", "bottom-right", "top-left", "top-right", "top", "bottom"];

const id = matchId();
const corner = new URLSearchParams(location.search).get("corner") ?? "bottom-left";
document.body.dataset.corner = CORNERS.includes(corner) ? corner : "bottom-left";

/** @param {string} words */
const note = (words) => tell("note", words);

function watch() {
  const address = new URL("../../ws", import.meta.url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const source = tokens(watcher);
  const client = new Kulkul(address.href, { token: () => source.give(), user: watcher.now?.user ?? undefined });
  const follow = new Follow(client, String(id), { changed: () => render() });
  const render = () => {
    const { state } = follow;
    if (!state) return;
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
  client.on("state", ({ state }) => {
    document.body.dataset.state = state;
    if (state === "open") source.taken();
    // A token of the demo mode ends some day: the page begins again with another one.
    if (state === "refused") watcher.keep(null);
  });
  setInterval(tick, TICK_MS);
  setInterval(() => {
    if (follow.refusal) follow.join();
    if (client.state === "refused") location.reload();
  }, AGAIN_MS);
  client.connect();
  follow.join();
}

async function begin() {
  if (id === null) return note("Which match? The address of this page ends with ?id= and the name of a match; &corner=top-right moves the score.");
  try {
    if ((await watches()) === "in") return watch();
    note("This server asks who watches. Put a viewer's token behind the address, as #token=…");
  } catch {
    // The server is not there yet.
    setTimeout(begin, AGAIN_MS);
  }
}

begin();
