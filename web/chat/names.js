// How rooms and people are called. A room's own name is what stands in the address; a person's is learned wherever it is seen.

import { directRoom } from "../client/index.js";

/** @typedef {import("../client/index.js").Room} Room */

/** Rooms that are always offered. The server knows nothing of them until somebody speaks. */
export const SAMPLES = [
  { name: "general", topic: "For everybody who is here" },
  { name: "random", topic: "Whatever comes to mind" },
  { name: "help", topic: "Ask how something is done" },
];

const ROOM_NAME = /^[A-Za-z0-9_.:-]{1,128}$/;
/** Enough for everybody one sees in an hour; the oldest go first. */
const PEOPLE_MAX = 2000;

/** @type {Map<string, string>} */
const people = new Map();

/** @param {{id: string, name: string} | undefined} person */
export function learn(person) {
  if (!person?.name || (person.name === person.id && people.has(person.id))) return;
  people.delete(person.id);
  people.set(person.id, person.name);
  if (people.size > PEOPLE_MAX) people.delete(/** @type {string} */ (people.keys().next().value));
}

/** @param {string} id */
export const nameOf = (id) => people.get(id) ?? id;

/** A room as the address writes it: without the app that goes without saying. @param {string} name */
export const short = (name) => name.replace(/^chat:/, "");

/** The room that the address names; null if it names none. */
export function addressed() {
  let name = "";
  try {
    name = short(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return null;
  }
  return ROOM_NAME.test(name) ? name : null;
}

/** How a room is listed: by what the server says of it, before that by its name. @param {string} name @param {string} [access] */
export const isDirect = (name, access) => (access ? access === "direct" : short(name).startsWith("direct:"));

/** Whether two people have the room for themselves. Only the server knows: anybody can write a name. @param {Room} room */
export const isAlone = (room) => room.about?.access === "direct";

/** With whom a direct room is. @param {string} name @param {string} me */
export function partner(name, me) {
  const ids = short(name).split(":").slice(1).map(plain);
  return ids.find((id) => id !== me) ?? me;
}

/** The name of the room that two people have for themselves. @param {string} me @param {string} other */
export const between = (me, other) => short(directRoom(me, other));

/** An id as it was before it became part of a room's name: each `_XX` is a byte. @param {string} part */
function plain(part) {
  try {
    return decodeURIComponent(part.replace(/_([0-9A-F]{2})/g, "%$1"));
  } catch {
    return part;
  }
}
