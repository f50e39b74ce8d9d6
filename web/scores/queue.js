// What a scorer has said and the server has not answered: in order, one at a time, kept where a reload does not lose it. Each has an
// actionId of its own, under which the match knows it for good, so that sending it again does no harm. Knows no socket.

import { predict } from "./predict.js";

/** @typedef {import("./match.js").State} State */
/**
 * @typedef {object} Item
 * @property {string} id its actionId
 * @property {string} word
 * @property {Record<string, any>} payload
 * @property {number} at when it was said, by this machine
 * @property {"waiting" | "sending" | "conflict" | "refused"} state
 * @property {string} [why] of one that was refused
 * @property {Record<string, any> | null} [stands] of a conflict: the raid that took its number
 */

/** More than a whole match has raids: whoever has scored so much alone has to see to the connection. */
export const ITEMS_MAX = 300;

/** A name that nobody else draws. */
export function drawn() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Queue {
  /** @type {Item[]} */
  items = [];

  /** @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} store @param {string} key @param {() => void} changed */
  constructor(store, key, changed) {
    this.store = store;
    this.key = key;
    this.changed = changed;
    try {
      const kept = JSON.parse(store.getItem(key) ?? "[]");
      const isItem = (/** @type {any} */ item) => typeof item?.id === "string" && typeof item.word === "string" && typeof item.payload === "object" && item.payload !== null;
      // What was on its way when the page went may have arrived or not: under its name it is sent again.
      if (Array.isArray(kept)) this.items = kept.filter(isItem).slice(0, ITEMS_MAX).map((item) => ({ ...item, state: item.state === "sending" ? "waiting" : item.state }));
    } catch {
      // What cannot be read is nobody's; storage may be turned off, too.
    }
  }

  /** False: it is full. @param {string} word @param {Record<string, any>} payload @param {number} at */
  add(word, payload, at) {
    // A raid that has its result needs no start any more.
    if (word === "raid") this.items = this.items.filter((item) => item.word !== "start_raid" || item.state !== "waiting");
    if (this.items.length >= ITEMS_MAX) return false;
    this.items.push({ id: drawn(), word, payload, at, state: "waiting" });
    this.#kept();
    return true;
  }

  /** What is to be sent next. Null: nothing, or a person has to say first what becomes of one before it. @returns {Item | null} */
  get next() {
    const first = this.items[0];
    return first?.state === "waiting" ? first : null;
  }

  /** Those that need a person. */
  get stuck() {
    return this.items.filter(({ state }) => state === "conflict" || state === "refused");
  }

  /** Those that are said and not known yet. */
  get open() {
    return this.items.filter(({ state }) => state === "waiting" || state === "sending");
  }

  /** @param {string} id */
  sends(id) {
    this.#becomes(id, { state: "sending" });
  }

  /** It was not answered: again, later. @param {string} id */
  waits(id) {
    this.#becomes(id, { state: "waiting" });
  }

  /** Its raid has been made by somebody else. @param {string} id @param {Record<string, any> | null} stands */
  conflicts(id, stands) {
    this.#becomes(id, { state: "conflict", stands });
  }

  /** @param {string} id @param {string} why */
  refused(id, why) {
    this.#becomes(id, { state: "refused", why });
  }

  /** Done, or given up. @param {string} id */
  drop(id) {
    this.items = this.items.filter((item) => item.id !== id);
    this.#kept();
  }

  /** The same again, under a new name, for the raid that is next now. @param {string} id @param {number} raidNumber */
  renumber(id, raidNumber) {
    this.items = this.items.map((item) => (item.id === id ? { ...item, id: drawn(), state: "waiting", stands: undefined, payload: { ...item.payload, raidNumber } } : item));
    this.#kept();
  }

  /** How it stands once all of it is done. @param {State} state @param {(at: number) => number} time this machine's as the server's */
  expected(state, time) {
    return this.open.reduce((now, { word, payload, at }) => predict(now, { ...payload, type: word }, time(at)), state);
  }

  /** @param {string} id @param {Partial<Item>} more */
  #becomes(id, more) {
    this.items = this.items.map((item) => (item.id === id ? { ...item, ...more } : item));
    this.#kept();
  }

  #kept() {
    try {
      if (this.items.length > 0) this.store.setItem(this.key, JSON.stringify(this.items));
      else this.store.removeItem(this.key);
    } catch {
      // Storage may be full or turned off: then a reload loses what waits, and the page says how much does.
    }
    this.changed();
  }
}

/** Whether a raid as it was meant is the one that stands. @param {Record<string, any>} payload @param {Record<string, any> | null | undefined} line of `raidLog` */
export function isSame(payload, line) {
  if (!line) return false;
  const of = (/** @type {string[] | undefined} */ ids) => [...(ids ?? [])].sort().join(" ");
  const caught = (payload.tacklerIds ?? []).length > 0;
  const meant = [payload.touchedIds, payload.tacklerIds, payload.selfOutIds].find((ids) => (ids ?? []).length > 0) ?? [];
  return payload.raiderId === line.raiderId && Boolean(payload.bonus) === Boolean(line.bonusTaken) && (payload.raiderOut ?? null) === (line.raiderOut ?? null)
    && of(meant) === of(line.defenderIds) && of(payload.selfOutIds) === of(line.lobbyEvents) && caught === (line.result === "defenseSuccess" && !line.raiderOut);
}
