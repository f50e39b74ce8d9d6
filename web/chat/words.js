// What the server and the client say in codes, in words for a person: what happened, and what to do.

import { duration } from "../elements.js";

/** @typedef {import("../../clients/js/src/types.d.ts").Status} Status */
/** @typedef {{code: string, message: string, retryAfterMs?: number, ref?: string}} Refusal */

/** Closes after which nobody comes back by themselves. */
const FINAL = /** @type {Record<number, [string, string]>} */ ({
  1002: ["This page and the server do not understand each other. Load the page again.", "Load again"],
  1007: ["This page sent something that is no text. Load the page again.", "Load again"],
  1008: ["The server's rules do not allow what this page did. Wait a moment before you come back.", "Come back"],
  1009: ["A message was too big for this server. Say it in two.", "Come back"],
  4401: ["Your token has ended. Enter anew.", "Enter anew"],
  4500: ["This page sent something that the server could not read. Load the page again.", "Load again"],
  4503: ["You may not be here. Enter with another token, or ask whoever runs the server.", "Enter anew"],
  4509: ["You are here in a newer window, so this one was put out.", "Use this window"],
});

/** What the button beside a banner does. @typedef {"connect" | "reload" | "anew"} Remedy */

const REMEDIES = /** @type {Record<string, Remedy>} */ ({ "Load again": "reload", "Enter anew": "anew" });

/** The state in a word or two, and the banner for it if there is something to know.
 * @param {Status} status @param {boolean} byWish cut off by the person's own wish
 * @returns {{short: string, words: string, does: string, remedy: Remedy}} */
export function ofStatus(status, byWish) {
  const nothing = { words: "", does: "", remedy: /** @type {Remedy} */ ("connect") };
  switch (status.state) {
    case "open":
      return { ...nothing, short: "Connected" };
    case "connecting":
      if (status.attempt === 0) return { ...nothing, short: "Connecting…" };
      return { ...nothing, short: "Connecting…", words: "Connecting again. What you write waits and is sent when you are back." };
    case "catching-up":
      return { ...nothing, short: "Catching up…", words: "Catching up with what was said meanwhile…" };
    case "offline": {
      if (byWish) {
        return { ...nothing, short: "Offline", words: "You are offline, by your own wish. What you write waits until you press Come back." };
      }
      const next = status.retryInMs === null || status.retryInMs < 1500 ? "at once" : `in ${duration(status.retryInMs)}`;
      return { ...nothing, short: "No connection", words: `No connection. Trying again ${next}; what you write waits.`, does: "Try now" };
    }
    default: {
      const [words, does] = FINAL[status.code] ?? [`The server does not let you in${status.words ? `: ${status.words}` : ""}. Try again, or enter anew.`, "Try again"];
      return { short: "Put out", words, does, remedy: REMEDIES[does] ?? "connect" };
    }
  }
}

/** Why something was not done. @param {Refusal} refusal */
export function ofRefusal({ code, message, retryAfterMs, ref }) {
  const later = retryAfterMs === undefined ? "" : ` Try again in ${duration(retryAfterMs)}.`;
  switch (code) {
    case "MUTED":
      return retryAfterMs === undefined ? "You are muted here until a moderator lets you speak again." : `You are muted here for ${duration(retryAfterMs)} more.`;
    case "SLOW_MODE":
      return `This room is in slow mode: one message at a time.${later}`;
    case "RATE_LIMIT":
      return `That was too much at once.${later || " Wait a moment."}`;
    case "BUSY":
      return `The server is busy and has stored nothing.${later || " Try again."}`;
    case "BANNED":
      return "You are banned from this room. A moderator can let you in again.";
    case "NOT_FOUND":
      return "It is not there any more.";
    case "EXISTS":
      return "A room of this name was created already. Open it, or choose another name.";
    case "TOO_MANY_ROOMS":
      return "You are in too many rooms. Leave one first.";
    case "TOO_MANY_CHANGES":
      return "This message has taken all the reactions that it can hold.";
    case "TOO_MANY_MEMBERS":
      return "This room has taken all the members that it can hold.";
    case "QUEUE_FULL":
      return "Too much waits to be sent already. It goes out when the connection is back.";
    case "DISCONNECTED":
      return "The connection ended before the server answered. Try again when you are back.";
    case "INTERNAL_ERROR":
      return `The server made a mistake.${ref ? ` Whoever runs it finds it under ${ref}.` : ""}`;
    default: {
      const words = message || code;
      return `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}${later}`;
    }
  }
}

/** Why one is not in a room: what to read in its place, and whether trying again could help. @param {Refusal | null} refusal */
export function ofOutside(refusal) {
  const { code = "", message = "" } = refusal ?? {};
  const put = (/** @type {string} */ title, /** @type {string} */ words, again = true) => ({ title, words, again });
  if (!refusal) return put("You are not in this room", "Join it again to read on.");
  if (code === "BANNED") return put("You are banned from this room", "A moderator can let you in again. Choose another room on the left.");
  if (/deleted/.test(message)) return put("This room was deleted", "What was said in it is gone for everybody. Choose another room on the left, or open one.", false);
  if (/kicked/.test(message)) {
    const left = /wait (\d+) ms/.exec(message);
    return put("You were put out of this room", `You may come back ${left ? `in ${duration(Number(left[1]))}` : "after a minute"}.`);
  }
  if (/private/.test(message)) return put("This room is private", "One of its owners has to add you. Then it opens by itself.");
  if (/the two whose names/.test(message)) return put("This room is for two others", "Choose a person in a room to talk to them alone.", false);
  if (code === "FORBIDDEN") return put("You may not enter this room", `${ofRefusal(refusal)} Ask whoever runs the server, or enter with another token.`);
  return put("This room does not open", ofRefusal(refusal));
}
