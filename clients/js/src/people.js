// Who is in a room, and who of them types. Neither has a place in the order of messages.

/** @import { Clock, Person } from "./types.js" */

/** The server ends it after five seconds of silence; that end may be lost. */
const LAPSE_MS = 6_000;
/** Below the five seconds after which the others take it for ended. */
const REPEAT_MS = 2_500;

export class People {
  /** @type {Map<string, string>} names by id */
  here = new Map();
  count = 0;

  /** A list, or a count alone: in a large room there are no names, and the ones we have may be old. @param {{users: Person[], count: number}} told */
  take({ users, count }) {
    this.count = count;
    if (users.length > 0 || count === 0) this.here = new Map(users.map(({ id, name }) => [id, name]));
  }

  /** @param {Person} person may be known already */
  came({ id, name }) {
    if (!this.here.has(id)) this.count += 1;
    this.here.set(id, name);
  }

  /** @param {Person} person */
  went({ id }) {
    if (this.here.delete(id)) this.count -= 1;
  }

  /** @param {"user_joined" | "user_left" | "online_users"} type @param {any} payload */
  hear(type, payload) {
    if (type === "user_joined") this.came(payload);
    else if (type === "user_left") this.went(payload);
    else this.take(payload);
  }

  get list() {
    return Array.from(this.here, ([id, name]) => ({ id, name }));
  }
}

/** Those who type: each lapses by itself. */
export class Typing {
  /** @type {Map<string, {name: string, until: number}>} */
  #who = new Map();
  /** @type {any} */
  #timer;

  /** @param {Clock} clock @param {() => void} changed */
  constructor(clock, changed) {
    this.clock = clock;
    this.changed = changed;
  }

  get list() {
    return Array.from(this.#who, ([id, { name }]) => ({ id, name }));
  }

  /** @param {Person} person @param {boolean} types */
  take({ id, name }, types) {
    if (types) this.#who.set(id, { name, until: this.clock.now() + LAPSE_MS });
    else if (!this.#who.delete(id)) return;
    this.#settle();
  }

  clear() {
    if (this.#who.size === 0) return;
    this.#who.clear();
    this.#settle();
  }

  #settle() {
    this.clock.cancel(this.#timer);
    const now = this.clock.now();
    for (const [id, { until }] of this.#who) if (until <= now) this.#who.delete(id);
    this.changed();
    if (this.#who.size === 0) return;
    const next = Math.min(...Array.from(this.#who.values(), ({ until }) => until));
    this.#timer = this.clock.later(() => this.#settle(), next - now);
  }
}

/** Our own typing: said again now and then while it lasts. */
export class OwnTyping {
  #said = -Infinity;

  /** @param {number} now */
  isDue(now) {
    const due = now - this.#said >= REPEAT_MS;
    if (due) this.#said = now;
    return due;
  }

  /** Whether the others may still take us for typing. @param {number} now */
  ends(now) {
    const lasts = now - this.#said < LAPSE_MS;
    this.#said = -Infinity;
    return lasts;
  }
}
