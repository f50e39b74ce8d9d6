// Texts to frames and back, and what can be said of positions and tokens without knowing anything else.

/** @import { Frame, Person, Position } from "./types.js" */

/** @param {Frame} frame */
export function encode({ type, room, id, payload }) {
  return JSON.stringify({ type, room, id, payload });
}

/**
 * Null: nothing that this protocol could mean, to be ignored.
 *
 * @param {unknown} text
 * @returns {Frame | null}
 */
export function decode(text) {
  if (typeof text !== "string") return null;
  try {
    const frame = JSON.parse(text);
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}

/** @param {string} text */
export function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}

/**
 * Another epoch counts as newer: a reset has told of it before.
 *
 * @param {Position | null | undefined} held
 * @param {Position} position
 */
export function isNewer(held, position) {
  return !held || held.epoch !== position.epoch || position.offset > held.offset;
}

/** Not randomUUID: that is there on secure origins only. Drawn, not counted: an id belongs to the user, over all devices. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * What a token says of its bearer: for display and for timing, the server alone checks it.
 *
 * @param {string} token
 * @returns {{user: Person | null, endsAt: number | null}}
 */
export function claimsOf(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
    const id = claims.user_id ?? claims.sub;
    const user = id === undefined ? null : { id: String(id), name: String(claims.name ?? claims.username ?? id) };
    return { user, endsAt: typeof claims.exp === "number" ? claims.exp * 1000 : null };
  } catch {
    return { user: null, endsAt: null };
  }
}

/**
 * The name of the direct room of two users: both ids in order of their bytes, other bytes than letters, digits, `.` and `-`
 * written `_XX`.
 *
 * @param {string} a
 * @param {string} b
 */
export function directRoom(a, b) {
  const [first, second] = [new TextEncoder().encode(a), new TextEncoder().encode(b)].sort(byBytes);
  return `direct:${escaped(first)}:${escaped(second)}`;
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function byBytes(a, b) {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
}

/** @param {Uint8Array} bytes */
function escaped(bytes) {
  return Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    return /[A-Za-z0-9.-]/.test(letter) ? letter : `_${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
