// How one comes into a page that wants to know who one is: by a name in demo mode, else by a token. Which identity it fills, and
// who is kept out, each page says itself.

import { $, tell } from "./elements.js";

/** @typedef {typeof import("./identity.js").identity} Identity */

/** A token behind the #: such a link makes a page somebody's, and the token leaves the address at once. @param {Identity} who */
export function carried(who) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  who.paste(token);
}

/** The form for a token: `key`, with `token` in it, and `door-trouble`. @param {Identity} who @param {() => void} entered */
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

/**
 * @param {object} at
 * @param {Identity} at.who
 * @param {import("./identity.js").Role} at.role that the demo mode is asked for
 * @param {(role: string | undefined) => string} at.hinders what keeps the bearer of a token out, by its role; "" if nothing does
 * @param {() => void} at.enter
 */
export function door({ who, role, hinders, enter }) {
  const outside = (words = "") => {
    $("doorway").hidden = false;
    $("page").hidden = true;
    tell("door-trouble", words);
    $($("key").hidden ? "name" : "token").focus();
  };
  const inward = () => {
    const why = who.ended() ? "Your token has ended. Enter anew." : hinders(who.claims().role);
    if (why !== "") {
      who.keep(null);
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
      if ((await who.ask(name, role)) === "given") return inward();
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
  keyed(who, inward);
  who.recall();
  carried(who);
  if (who.now?.user) inward();
  else outside();
}

/** Out, so that somebody else may come in by this window. @param {Identity} who */
export function leave(who) {
  who.keep(null);
  location.reload();
}
