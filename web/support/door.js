// The door of the staff's pages: a name in demo mode, else a token; and who may not come in by it is told what to do.

import { $, tell } from "../elements.js";
import { identity } from "../identity.js";

/** The staff's own: the same window may be a guest of the chat. */
export const staff = Object.assign(Object.create(identity), { key: "kulkul.staff", now: null });

const OF_STAFF = ["agent", "supervisor", "admin"];
export const LEADS = ["supervisor", "admin"];

/** What keeps the bearer of a token out; "" if nothing does. @param {string | undefined} role @param {string[]} wanted */
export function hindrance(role, wanted) {
  if (wanted.includes(role ?? "")) return "";
  if (OF_STAFF.includes(role ?? "")) {
    return "Your token is an agent's, and this view is for supervisors. Go to the desk, or enter with a token whose role is supervisor or admin.";
  }
  return `Your token is a customer's${role ? ` (its role is ${role})` : ""}. Enter with one whose role is ${wanted.join(" or ")}: kulkul token --role ${wanted[0]} makes one.`;
}

/**
 * @param {"agent" | "supervisor"} role that the demo mode is asked for
 * @param {string[]} wanted roles that may come in
 * @param {() => void} enter
 */
export function door(role, wanted, enter) {
  const outside = (words = "") => {
    $("doorway").hidden = false;
    $("inside").hidden = true;
    tell("door-trouble", words);
    $($("key").hidden ? "name" : "token").focus();
  };
  const inward = () => {
    const why = hindrance(staff.claims().role, wanted);
    if (why === "") return void enter();
    staff.keep(null);
    outside(why);
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
      if ((await staff.ask(name, role)) === "given") return inward();
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

  $("key").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ ($("token"));
    if (!staff.paste(input.value.trim()) || !staff.now?.user) {
      tell("door-trouble", "That is no token: it has three parts with a dot between, and says who you are.");
      return;
    }
    input.value = "";
    inward();
  });

  staff.recall();
  if (staff.now?.user) inward();
  else outside();
}

/** Out, so that somebody else may come in by this window. @param {string} [words] */
export function leave() {
  staff.keep(null);
  location.hash = "";
  location.reload();
}
