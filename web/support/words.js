// What support says in codes, in words for the staff: what happened, and what to do.

import { ofRefusal as inGeneral, ofStatus } from "../chat/words.js";
import { duration } from "../elements.js";

export { ofStatus };

/** @typedef {import("../chat/words.js").Refusal} Refusal */

/** Why something was not done. @param {any} error */
export function ofRefusal(error) {
  const { code, message } = /** @type {Refusal} */ (error);
  switch (code) {
    case "TAKEN": {
      const by = /given to (.+)$/.exec(message)?.[1];
      return by ? `${by} was a moment quicker: this chat is theirs now.` : "That agent has this chat already.";
    }
    case "AT_CAPACITY":
      return "No more chats fit: the agent has as many as one may have here. Close one first.";
    case "SESSION_CLOSED":
      return /already/.test(message) ? "Somebody closed this chat already." : "This chat is closed. Its customer may open it again.";
    case "NOT_FOUND":
      return /waits here/.test(message) ? "This chat waits here no more: somebody took it, or its customer left." : "There is no such chat. Choose another one on the left.";
    case "FORBIDDEN":
      if (/not on duty/.test(message)) return "Whoever takes a chat must be on duty: set the status to Online, Busy or Away first.";
      if (/fleet/.test(message)) return "The fleet's own back end decides this: chats are given and closed there (support.authority = \"fleet\").";
      return inGeneral(error);
    default:
      return code ? inGeneral(error) : `${/** @type {Error} */ (error).message}.`;
  }
}

export const PRIORITIES = ["urgent", "high", "normal", "low"];

export const STATUSES = /** @type {Record<string, string>} */ ({ online: "Online", busy: "Busy", away: "Away", offline: "Off duty" });

const REASONS = /** @type {Record<string, string>} */ ({
  resolved: "resolved", customer_silent: "the customer fell silent", abandoned: "the customer did not come back",
  no_answer: "nobody answered", wrong_place: "wrong place", spam: "spam",
});

/** Reasons that one may choose when one closes. */
export const CLOSINGS = ["resolved", "no_answer", "wrong_place", "spam"];

/** @param {string} reason */
export const ofReason = (reason) => REASONS[reason] ?? reason;

const AT = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
const DAY_MS = 86_400_000;

/** @param {string} timestamp */
export const clock = (timestamp) => AT.format(new Date(timestamp));
/** @param {string} timestamp */
export const fully = (timestamp) => FULL.format(new Date(timestamp));

/** How long ago, as short as it can be said: "40 s", "7 min", "2 h", "3 d". @param {string | number} since */
export function ago(since) {
  const ms = Math.max(0, Date.now() - new Date(since).getTime());
  return ms > 2 * DAY_MS ? `${Math.floor(ms / DAY_MS)} d` : duration(ms);
}

/** A customer's name, or what to call one who gave none. @param {{name?: string} | null | undefined} customer */
export const called = (customer) => customer?.name || "Guest";

/** "4 m 05 s" for a figure. @param {number | null | undefined} ms */
export function span(ms) {
  if (ms === null || ms === undefined) return "–";
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
}
