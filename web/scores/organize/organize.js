// The organizer's page: a new match, or one that there is: its links, who begins, its squads and its officials. And the list of those that
// were made here.

import { $, button, make, tell } from "../../elements.js";
import { toast } from "../../overlays.js";
import { create, own } from "../create.js";
import { door, leave, matchId, official } from "../door.js";
import { Follow } from "../follow.js";
import { connected } from "../../link.js";
import { TEAMS, letterOf } from "../match.js";
import { lineUp, toss } from "../setup.js";
import { squadOf, textOf } from "../squads.js";
import { squad } from "../tables.js";
import { ofPhase, ofRefusal } from "../words.js";
import { createForm, squadFields } from "./form.js";
import { officials } from "./officials.js";

/** @typedef {import("../match.js").State} State */

/** @param {string} page @param {string} id */
const address = (page, id) => new URL(`../${page}/?id=${encodeURIComponent(id)}`, location.href).href;

const LINKS = /** @type {[string, string, string][]} */ ([
  ["console", "Scorer", "For whoever scores. Several may at once."], ["match", "Viewer", "For everybody who watches."],
  ["overlay", "Overlay", "A see-through page for broadcast, 1920 by 1080. &corner=top-right moves it."], ["sheet", "Score sheet", "To print, or as CSV."],
]);

/** @param {string} id */
function links(id) {
  const rows = LINKS.map(([page, words, hint]) => {
    const href = address(page, id);
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(href);
        toast(`The ${words.toLowerCase()}'s link is copied.`);
      } catch {
        // Where the clipboard is not for pages, what is marked can be copied by hand.
        getSelection()?.selectAllChildren(link);
        toast("The link is marked: copy it by hand.");
      }
    }, { class: "quiet", "aria-label": `Copy the link: ${words}` });
    const link = make("a", { href, "data-link": page }, href);
    return make("li", {}, make("div", {}, make("b", {}, words), make("span", { class: "hint" }, hint), link), copy);
  });
  return make("section", { class: "card setup-card", id: "links", "aria-labelledby": "links-title" }, make("h2", { id: "links-title" }, "Links to hand out"), make("ul", { class: "links" }, ...rows));
}

/** The squads, until something was said. @param {State} state @param {(word: string, payload: Record<string, any>) => Promise<void>} say */
function squads(state, say) {
  const parts = TEAMS.map((key) => {
    const fields = squadFields(key, `${state[key].name}: squad`, { name: state[key].name, text: textOf({ players: squad(state, key) }) });
    const save = button("Save this squad", () => {
      const { faults, ...of } = squadOf(fields.written.text, key === "teamA" ? "a" : "b");
      if (faults.length > 0) return toast(faults.join(" "));
      void say("set_squad", { team: letterOf(key), name: fields.written.name.trim(), ...of });
    }, { class: "quiet", "data-save": key });
    fields.element.append(save);
    return fields.element;
  });
  return make("details", { class: "squads-part" }, make("summary", {}, "Change the squads"), make("div", { class: "setup" }, ...parts));
}

/** Made in this browser. */
function ownList() {
  const ids = own();
  const list = ids.length > 0
    ? make("ul", { class: "list" }, ...ids.map((id) => make("li", {}, make("a", { class: "entry", href: `./?id=${encodeURIComponent(id)}`, "data-own": id }, make("span", { class: "name" }, id), make("span", { class: "mark" })))))
    : make("p", { class: "hint" }, "Matches that you create in this browser stand here.");
  return make("section", { class: "card setup-card own", "aria-labelledby": "own-title" }, make("h2", { id: "own-title" }, "Your matches"), list);
}

function enter() {
  const id = matchId();
  tell("me", official.now?.name ?? "");
  $("leave").addEventListener("click", leave);
  let drawn = "";
  const client = connected(official, { meanwhile: "What you change is sent when you are back.", anew: leave });
  const list = client.room("scores:list");
  const listed = () => {
    for (const match of /** @type {any} */ (list.about)?.matches ?? []) {
      const entry = document.querySelector(`[data-own="${CSS.escape(match.matchId)}"]`);
      if (!entry) continue;
      tell(/** @type {HTMLElement} */ (entry.querySelector(".name")), match.title);
      tell(/** @type {HTMLElement} */ (entry.querySelector(".mark")), ofPhase(match.phase));
    }
  };
  list.on("about", listed);

  const creates = async (/** @type {string} */ name, /** @type {Record<string, any>} */ about) => {
    try {
      const fresh = await create(client, name, about);
      if (!fresh) throw new Error(`There is a match “${name}” already: choose another name in the address.`);
      location.search = `?id=${encodeURIComponent(name)}`;
    } catch (error) {
      throw /** @type {any} */ (error).code ? new Error(ofRefusal(error)) : error;
    }
  };
  const form = () => $("work").replaceChildren(createForm(id, creates), ownList());

  if (id === null) {
    form();
  } else {
    const follow = new Follow(client, id, { lines: true, changed: () => render() });
    const roles = officials(follow, (payload) => say("set_roles", payload));
    const say = async (/** @type {string} */ word, /** @type {Record<string, any>} */ payload) => {
      try {
        await follow.say(word, payload);
        if (word === "set_roles") follow.officials = payload.officials;
        drawn = "";
        render();
        toast("Done.");
      } catch (error) {
        toast(ofRefusal(error, follow.state));
      }
    };
    const render = () => {
      const { state, refusal } = follow;
      if (refusal && !state) return $("work").replaceChildren(make("section", { class: "card note" }, make("h1", {}, "This match does not open"), make("p", {}, ofRefusal(refusal))));
      if (follow.unborn && !state) {
        if (drawn !== "form") form();
        drawn = "form";
        return;
      }
      if (!state) return;
      roles.show();
      const untouched = ![...follow.match.lines.values()].some((line) => !line.undone) && (state.actions === 0 || follow.match.whole);
      const shown = JSON.stringify([untouched, state.title, state.teamA.name, state.teamB.name, state.mat, state.phase, state.tossWinner, Object.keys(state.playerStats)]);
      if (shown === drawn) return;
      drawn = shown;
      tell("title", state.title);
      const said = (/** @type {string} */ word, /** @type {Record<string, any>} */ payload) => void say(word, payload);
      const before = state.phase === "setup" || state.phase === "ready";
      $("work").replaceChildren(...[
        make("div", { class: "manage-head" }, make("h1", {}, state.title), make("p", { class: "hint", id: "manage-phase" }, `${ofPhase(state.phase)}. ${state.teamA.name} ${state.teamA.score}, ${state.teamB.name} ${state.teamB.score}.`),
          make("a", { class: "button", href: address("console", id) }, "Score it")),
        links(id),
        before ? make("div", { class: "setup" }, ...TEAMS.map((key) => lineUp(state, key, said)), toss(state, said)) : null,
        before && untouched ? squads(state, say) : before ? make("p", { class: "hint" }, "Squads are named before the first line-up: undo what was said in the console to change them.") : null,
        roles.element, ownList(), make("p", {}, make("a", { class: "button quiet", href: "./" }, "Create another match")),
      ].filter((it) => it !== null));
      listed();
    };
    follow.join();
    follow.room.on("state", (state) => state === "open" && void roles.look());
  }
  client.connect();
  list.join().catch(() => {});
}

door("organizer", ["organizer", "admin"], enter);
