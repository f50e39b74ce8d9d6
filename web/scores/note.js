// What stands in place of a match that is not there: what is the matter, and what to do.

import { $, tell } from "../elements.js";

/** @typedef {import("../../clients/js/src/refusal.js").Refusal} Refusal */

/** What to read of a match that asks for a token. Null: the refusal is another one. @param {Refusal} refusal */
export function wantsToken({ code }) {
  if (code === "UNAUTHORIZED") return { title: "This server asks who you are", words: "It gives no tokens away. Use the link that you were given, or put a token here." };
  if (code === "FORBIDDEN") return { title: "This match is not public", words: "Use the link that you were given, or put a token here." };
  return null;
}

/** @param {string} title @param {string} words @param {{again?: () => void, create?: boolean, key?: boolean}} [does] */
export function note(title, words, { again, create, key } = {}) {
  for (const part of document.querySelectorAll("main")) part.hidden = true;
  $("note").hidden = false;
  tell("note-title", title);
  tell("note-words", words);
  $("key").hidden = !key;
  $("note-do").hidden = !again;
  $("note-do").onclick = () => again?.();
  $("note-create").hidden = !create;
}
