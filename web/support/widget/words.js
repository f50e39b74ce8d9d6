// What the server and the client say in codes, in words for whoever asks for help: what happened, and what to do.

import { duration } from "../../elements.js";

/** @typedef {import("../../../clients/js/src/types.d.ts").Status} Status */
/** @typedef {{code: string, message: string, retryAfterMs?: number, ref?: string, status?: number}} Refusal */

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const RULES = new Intl.PluralRules("en", { type: "ordinal" });

/** 1st, 2nd, 3rd. @param {number} number */
const ordinal = (number) => `${number}${/** @type {Record<string, string>} */ (ENDINGS)[RULES.select(number)]}`;

/** The place of whoever waits, counted from 1. Of the first hundred it is known. @param {number | undefined} place */
export function ofPlace(place) {
  if (place === undefined) return "You are in line";
  return place <= 1 ? "You are next" : `You are ${ordinal(place)} in line`;
}

const AT = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
const SHORT_DAY = new Intl.DateTimeFormat([], { day: "numeric", month: "short", year: "numeric" });
const FULL = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "short" });

export const clock = (/** @type {Date} */ at) => AT.format(at);
export const day = (/** @type {Date} */ at) => DAY.format(at);
export const date = (/** @type {Date} */ at) => SHORT_DAY.format(at);
export const moment = (/** @type {Date} */ at) => FULL.format(at);

/** Why a conversation is over. @param {{by?: string, reason?: string, agent?: {name: string}}} about */
export function ofEnd({ by, reason = "", agent }) {
  if (by === "customer") return "You have ended this conversation.";
  if (reason === "customer_silent") return "This conversation ended because nothing was said for a while.";
  if (reason === "abandoned") return "This conversation ended because you were away.";
  const said = reason === "" || reason === "resolved" ? "." : `: ${reason.replace(/[.\s]+$/, "")}.`;
  return by === "agent" && agent ? `${agent.name} has ended this conversation${said}` : `This conversation has ended${said}`;
}

/** The connection, if there is something to know of it. @param {Status} status @returns {{words: string, does: string}} */
export function ofStatus(status) {
  switch (status.state) {
    case "connecting":
      return { words: status.attempt === 0 ? "" : "Connecting again. What you write waits.", does: "" };
    case "catching-up":
      return { words: "Fetching what was said meanwhile…", does: "" };
    case "offline": {
      const next = status.retryInMs === null || status.retryInMs < 1500 ? "at once" : `in ${duration(status.retryInMs)}`;
      return { words: `No connection. Trying again ${next}; what you write waits.`, does: "Try now" };
    }
    case "refused":
      if (status.code === 4509) return { words: "You have this conversation open in another window.", does: "Use this one" };
      return { words: `The server has ended the connection${status.words ? `: ${status.words}` : ""}.`, does: "Try again" };
    default:
      return { words: "", does: "" };
  }
}

/** Why something was not done. @param {Refusal} refusal */
export function ofRefusal({ code, message, retryAfterMs, ref, status }) {
  const later = retryAfterMs === undefined ? " Try again in a while." : ` Try again in ${duration(retryAfterMs)}.`;
  switch (code) {
    case "AWAY":
      return "The server does not answer. What you wrote stays here; try again in a moment.";
    case "RATE_LIMIT":
      return status === 429 ? `Too many conversations were begun from where you are.${later}` : `That was too much at once.${later}`;
    case "BUSY":
      return `Too many people are waiting just now.${later}`;
    case "UNCONFIRMED":
      return "The server is not sure whether it was stored. Try again.";
    case "SESSION_CLOSED":
      return "This conversation is over. Continue it, or start a new one.";
    case "UNAUTHORIZED":
      return "This chat is for those who are signed in. Sign in, then try again.";
    case "TOO_LARGE":
      return "That is too long for one message. Say it in two.";
    case "QUEUE_FULL":
      return "Too much waits to be sent already. It goes out when the connection is back.";
    case "DISCONNECTED":
      return "The connection ended before the server answered. Try again when it is back.";
    case "INTERNAL_ERROR":
      return `The server made a mistake.${ref ? ` Whoever runs it finds it under ${ref}.` : ""}`;
    default: {
      if (/origin not allowed/.test(message)) return `This chat is not open yet: its server has to name ${location.origin} in allowed_origins, too.`;
      if (/support\.authority/.test(message)) return "No conversation can be begun here. Ask whoever runs this site where it can.";
      const words = message || code;
      return `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
    }
  }
}
