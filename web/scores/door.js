// Who one is at a match. Officials come in by a door: a name in demo mode, else a token. Whoever only watches is let in without
// being asked: by a token that the server gives away or the page's address carries, else by the doors that ask for none.

import { $, tell } from "../elements.js";
import { identity } from "../identity.js";

/** The scores' own: the same window may be a guest of the chat. */
export const official = Object.assign(Object.create(identity), { key: "kulkul.scores", now: null });
export const watcher = Object.assign(Object.create(identity), { key: "kulkul.scores.watcher", now: null });

/** The match that the page's address names. Null: none, or a name that no match can have. */
export function matchId() {
  const id = new URLSearchParams(location.search).get("id") ?? "";
  return /^[A-Za-z0-9_.:-]{1,128}$/.test(id) && id !== "list" ? id : null;
}

/** A token behind the #: such a link makes a page somebody's, and the token leaves the address at once. @param {typeof identity} who */
function carried(who) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  who.paste(token);
}

/** "in": with a token. "open": there is none, and what is public is there without. A server that does not answer is an error. */
export async function watches() {
  watcher.recall();
  carried(watcher);
  if (watcher.now?.user && !watcher.ended()) return "in";
  return (await watcher.ask("Viewer")) === "given" ? "in" : "open";
}

/** The form for a token: `key`, with `token` in it, and `door-trouble`. @param {typeof identity} who @param {() => void} entered */
export function keyed(who, entered) {
  $("key").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ ($("token"));
    if (!who.paste(input.value.trim()) || !who.now?.user) {
      return tell("door-trouble", "That is no token: it has three parts with a dot between, and says who you are.");
    }
    input.value = "";
    tell("door-trouble", "");
    entered();
  });
}

/** What keeps the bearer of a token out; "" if nothing does. @param {string | undefined} role @param {string[]} wanted */
function hindrance(role, wanted) {
  if (wanted.includes(role ?? "")) return "";
  return `Your token is ${role ? `a ${role}'s` : "a viewer's"}. Enter with one whose role is ${wanted.join(" or ")}: kulkul token --role ${wanted[0]} makes one.`;
}

/**
 * @param {"scorer" | "organizer"} role that the demo mode is asked for
 * @param {string[]} wanted roles that may come in
 * @param {() => void} enter
 */
export function door(role, wanted, enter) {
  const outside = (words = "") => {
    $("doorway").hidden = false;
    $("page").hidden = true;
    tell("door-trouble", words);
    $($("key").hidden ? "name" : "token").focus();
  };
  const inward = () => {
    const why = official.ended() ? "Your token has ended. Enter anew." : hindrance(official.claims().role, wanted);
    if (why !== "") {
      official.keep(null);
      return outside(why);
    }
    $("doorway").hidden = true;
    $("page").hidden = false;
    enter();
  };
  $("door").addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ ($("name"));
    const submit = /** @type {HTMLButtonElement} */ ($("door").querySelector("button"));
    const name = input.value.trim();
    if (name === "") return input.focus();
    tell("door-trouble", "");
    submit.disabled = true;
    try {
      if ((await official.ask(name, role)) === "given") return inward();
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
  keyed(official, inward);
  official.recall();
  carried(official);
  if (official.now?.user) inward();
  else outside();
}

/** Out, so that somebody else may come in by this window. */
export function leave() {
  official.keep(null);
  location.reload();
}
