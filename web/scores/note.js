// What stands in place of a match that is not there: what is the matter, and what to do.

import { $, tell } from "../elements.js";

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
