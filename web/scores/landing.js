// All matches: what is on, what is to come, what is over. And the doors of those who score and who organize.

import { Kulkul } from "../client/index.js";
import { $, button, make, tell } from "../elements.js";
import { toast } from "../overlays.js";
import { create, newId, teamOf } from "./create.js";
import { keyed, official, watcher, watches } from "./door.js";
import { Follow } from "./follow.js";
import { connected, shown } from "../link.js";
import { Listing } from "./listing.js";
import { TEAMS } from "./match.js";
import { Open } from "./open.js";
import { lineUpBoth } from "./setup.js";
import { READY } from "./squads.js";
import { ofPhase, ofRefusal, ofResult } from "./words.js";

/** @typedef {Record<string, any>} Listed */

/** Of those that are on, so many are followed raid by raid; the others show how they stood when their phase changed. */
const FOLLOWED_MAX = 6;
const WHEN = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });

/** @param {Listed} match */
const isOn = ({ phase, over }) => !over && phase !== "setup" && phase !== "ready";

/** @param {string} page @param {string} id */
const address = (page, id) => `${page}/?id=${encodeURIComponent(id)}`;

/** @param {"in" | "open"} how with a token, or without one */
function watch(how) {
  /** @type {Map<string, Listed>} */
  const matches = new Map();
  /** @type {Map<string, Follow>} */
  const followed = new Map();
  let wanted = false;
  const page = { meanwhile: "The list is as it was.", anew: () => (watcher.keep(null), location.reload()) };
  const soon = () => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => ((wanted = false), render()));
  };
  const begin = (/** @type {any} */ view) => {
    for (const match of view?.matches ?? []) matches.set(match.matchId, match);
    soon();
  };
  /** The list, and where what is `of` one match is told. */
  const source = how === "in" ? inRoom() : inTurn();

  function inRoom() {
    const client = connected(watcher, page);
    const list = client.room("scores:list");
    list.on("about", () => begin(list.about));
    list.on("messages", () => begin(list.view));
    list.on("event", ({ type, payload }) => {
      if (type !== "match_listed") return;
      matches.set(payload.matchId, payload);
      soon();
    });
    list.on("state", soon);
    return {
      list,
      of: () => client,
      begin: () => (client.connect(), void list.join().catch(soon)),
      end: () => client.disconnect(),
    };
  }

  function inTurn() {
    const list = shown(new Listing(), page);
    list.on("matches", (all) => (matches.clear(), begin({ matches: all })));
    list.on("state", () => {
      $("key").hidden = !list.shut;
      soon();
    });
    return {
      list,
      of: (/** @type {string} */ id) => new Open(id),
      begin: () => list.connect(),
      end: () => list.disconnect(),
    };
  }

  /** What is on is followed, and what is over is not any more. */
  function follow() {
    for (const [id, one] of followed) {
      const match = matches.get(id);
      if (match && isOn(match)) continue;
      one.leave();
      followed.delete(id);
    }
    for (const match of matches.values()) {
      if (followed.size >= FOLLOWED_MAX) break;
      if (!isOn(match) || followed.has(match.matchId)) continue;
      const one = new Follow(source.of(match.matchId), match.matchId, { changed: soon });
      followed.set(match.matchId, one);
      one.join();
    }
  }

  /** @param {Listed} match */
  function fixture(match) {
    const state = followed.get(match.matchId)?.state ?? match;
    const on = isOn(match);
    const score = match.phase === "setup" || match.phase === "ready" ? null
      : make("span", { class: "fixture-score", "aria-label": `${match.teamA.name} ${state.teamA.score}, ${match.teamB.name} ${state.teamB.score}` },
        ...TEAMS.flatMap((key, index) => [index === 1 ? "–" : "", make("span", { class: key }, String(state[key].score))]));
    const line = state.result ? ofResult({ ...match, ...state }) : ofPhase(state.phase);
    return make("li", { class: "card fixture", "data-match": match.matchId },
      make("a", { class: "fixture-name", href: address("match", match.matchId) }, match.title), score ?? "",
      make("p", { class: `fixture-line${on ? " live" : ""}` }, [line, match.event, match.title.includes(match.teamA.name) ? "" : `${match.teamA.name} v ${match.teamB.name}`, match.createdAt && !on ? WHEN.format(new Date(match.createdAt)) : ""].filter((it) => it).join(" · ")),
      make("p", { class: "fixture-ways" }, make("a", { href: address("match", match.matchId) }, "Watch"), match.over ? "" : make("a", { href: address("console", match.matchId) }, "Score"), make("a", { href: address("sheet", match.matchId) }, "Score sheet")));
  }

  function render() {
    follow();
    const all = [...matches.values()].sort((a, b) => String(b.createdAt).localeCompare(String(a.createdAt)));
    const groups = /** @type {[string, Listed[]][]} */ ([["On now", all.filter(isOn)], ["To come", all.filter((match) => !match.over && !isOn(match))], ["Over", all.filter(({ over }) => over)]]);
    $("lists").replaceChildren(...groups.filter(([, some]) => some.length > 0).flatMap(([words, some]) => [make("h3", {}, words), make("ul", { class: "fixture-list" }, ...some.map(fixture))]));
    const { list } = source;
    $("none").hidden = all.length > 0 || list.state !== "open";
    tell("door-trouble", list.state === "refused" && list.error ? ofRefusal(list.error) : "");
    $("known").replaceChildren(...all.filter(({ over }) => !over).map(({ matchId, title }) => make("option", { value: matchId }, title)));
  }

  source.begin();
  return () => {
    for (const one of followed.values()) one.leave();
    source.end();
  };
}

/** A match that is ready to be scored, in this window. @param {Event} event */
async function demo(event) {
  const pressed = /** @type {HTMLButtonElement} */ (event.currentTarget);
  pressed.disabled = true;
  official.recall();
  try {
    if ((!official.now || official.ended()) && (await official.ask("Organizer", "organizer")) === "none") {
      toast("This server gives no tokens away: enter as an organizer with your own.");
      location.href = "organize/";
      return;
    }
    location.href = address("console", await made());
  } catch (error) {
    toast(/** @type {any} */ (error).code ? ofRefusal(error) : "The server does not answer. Try again in a moment.");
  } finally {
    pressed.disabled = false;
  }
}

/** @returns {Promise<string>} its name */
async function made() {
  const url = new URL("../ws", import.meta.url);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const client = new Kulkul(url.href, { token: String(official.now?.token) });
  const id = newId();
  client.connect();
  try {
    await create(client, id, { title: `${READY.teamA.name} v ${READY.teamB.name}`, teamA: teamOf(READY.teamA, "a"), teamB: teamOf(READY.teamB, "b") });
    const room = client.room(`scores:${id}`);
    const { payload } = await room.ask("get_match");
    const said = /** @type {Promise<unknown>[]} */ ([]);
    lineUpBoth(payload, (word, of) => void said.push(room.act(word, of)));
    await Promise.all(said);
  } finally {
    client.disconnect();
  }
  return id;
}

async function begin() {
  $("score").addEventListener("submit", (event) => {
    event.preventDefault();
    location.href = address("console", /** @type {HTMLInputElement} */ ($("score-id")).value.trim());
  });
  for (const element of document.querySelectorAll("[data-demo]")) element.addEventListener("click", demo);
  try {
    const end = watch(await watches());
    keyed(watcher, () => {
      end();
      $("key").hidden = true;
      watch("in");
    });
  } catch {
    tell("door-trouble", "The server does not answer. Nothing is wrong with your link: look again in a moment.");
    $("lists").replaceChildren(button("Look again", () => location.reload()));
  }
}

begin();
