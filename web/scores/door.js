// Who one is at a match. Officials come in by a door: a name in demo mode, else a token. Whoever only watches is let in without
// being asked: by a token that the server gives away or the page's address carries, else by the doors that ask for none.

import { carried, leave as out, door as opened } from "../door.js";
import { identity } from "../identity.js";

export { keyed } from "../door.js";

/** The scores' own: the same window may be a guest of the chat. */
export const official = Object.assign(Object.create(identity), { key: "kulkul.scores", now: null });
export const watcher = Object.assign(Object.create(identity), { key: "kulkul.scores.watcher", now: null });

/** The match that the page's address names. Null: none, or a name that no match can have. */
export function matchId() {
  const id = new URLSearchParams(location.search).get("id") ?? "";
  return /^[A-Za-z0-9_.:-]{1,128}$/.test(id) && id !== "list" ? id : null;
}

/** "in": with a token. "open": there is none, and what is public is there without. A server that does not answer is an error. */
export async function watches() {
  watcher.recall();
  carried(watcher);
  if (watcher.now?.user && !watcher.ended()) return "in";
  return (await watcher.ask("Viewer")) === "given" ? "in" : "open";
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
  opened({ who: official, role, hinders: (has) => hindrance(has, wanted), enter });
}

/** Out, so that somebody else may come in by this window. */
export const leave = () => out(official);
