// A match begins: its name, who plays, and what this browser remembers of those that were made in it.

import { squadOf } from "./squads.js";

/** @typedef {import("../client/index.js").Kulkul} Kulkul */

const OWN = "kulkul.scores.own";
/** As many as one looks through. */
const OWN_MAX = 50;
const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789";

/** A name that can be read out: 31 letters and digits to the eighth. */
export function newId() {
  return `m-${[...crypto.getRandomValues(new Uint8Array(8))].map((byte) => LETTERS[byte % LETTERS.length]).join("")}`;
}

/** @returns {string[]} the newest first */
export function own() {
  try {
    const kept = JSON.parse(localStorage.getItem(OWN) ?? "[]");
    return Array.isArray(kept) ? kept.filter((id) => typeof id === "string").slice(0, OWN_MAX) : [];
  } catch {
    return [];
  }
}

/** @param {string} id */
function remember(id) {
  try {
    localStorage.setItem(OWN, JSON.stringify([id, ...own().filter((other) => other !== id)].slice(0, OWN_MAX)));
  } catch {
    // Storage may be turned off: then the list of all matches has it.
  }
}

/**
 * False: there was one of this name already.
 * @param {Kulkul} client @param {string} id @param {Record<string, any>} about @returns {Promise<boolean>}
 */
export async function create(client, id, about) {
  const { payload } = await client.room(`scores:${id}`).act("create", about);
  remember(id);
  return payload?.created === true;
}

/** @param {{name: string, text: string}} written @param {"a" | "b"} prefix */
export function teamOf({ name, text }, prefix) {
  const { faults: _, ...squad } = squadOf(text, prefix);
  return { name: name.trim(), ...squad };
}
