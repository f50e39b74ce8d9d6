// Dialogues between clients and a server, read from text, as `sim/src/script.rs` describes them and as far as they ask for
// nothing but clients. Where it is played is for a stage to say.

/** How long a client waits for what it should be told. */
const PATIENCE_MS = 20_000;
/** In which nothing of what must not come has come. */
const A_WHILE_MS = 1_000;

/**
 * @typedef {object} Stage
 * @property {(name: string, how: string) => Promise<void>} connect `how`: what stands behind `connects`
 * @property {(name: string) => void} end the connection is gone, and does not come back by itself
 * @property {(name: string, text: string) => void} say
 * @property {(name: string, ms: number) => Promise<any>} hear the next message, if one comes in time
 * @property {(ms: number) => Promise<void>} pass
 */

/** Rejects with the line that did not happen. @param {string} text @param {Stage} stage */
export async function play(text, stage) {
  const player = new Player(stage);
  for (const [at, line] of text.split("\n").map((line) => line.trim()).entries()) {
    if (line === "" || line.startsWith("#") || line.startsWith("with ")) continue;
    try {
      await player.line(line);
    } catch (error) {
      throw new Error(`line ${at + 1}: ${line}\n  ${error.message}`, { cause: error });
    }
  }
}

class Player {
  #stage;
  /** Heard by the stage and not yet by the transcript. @type {Map<string, any[]>} */
  #unread = new Map();
  /** @type {Record<string, any>} */
  #kept = {};

  /** @param {Stage} stage */
  constructor(stage) {
    this.#stage = stage;
  }

  /** @param {string} line */
  async line(line) {
    const span = /^---- (\d+) (s|ms)$/.exec(line);
    if (span) return this.#stage.pass(Number(span[1]) * (span[2] === "s" ? 1000 : 1));
    const [, name, rest] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === undefined) throw new Error("who does what?");
    if (rest.startsWith("->")) return this.#stage.say(name, this.#filled(rest.slice(2).trim()));
    if (rest.startsWith("<-")) return this.#hear(name, rest.slice(2).trim());
    if (rest === "is cut" || rest === "hangs up") return this.#stage.end(name);
    if (!/^connects( |$)/.test(rest)) throw new Error("nobody here knows how to do this");
    this.#unread.delete(name);
    return this.#stage.connect(name, rest.slice("connects".length).trim());
  }

  /** What was kept under a name stands in its place; what is no JSON stands as it is. @param {string} said */
  #filled(said) {
    try {
      const isKept = (value) => typeof value === "string" && value.startsWith("$") && Object.hasOwn(this.#kept, value.slice(1));
      return JSON.stringify(JSON.parse(said, (_, value) => (isKept(value) ? this.#kept[value.slice(1)] : value)));
    } catch {
      return said;
    }
  }

  /** @param {string} name @param {string} heard */
  async #hear(name, heard) {
    if (heard === "nothing") {
      (await this.#caughtUp(name)).length = 0;
      await this.#stage.pass(A_WHILE_MS);
      const unread = await this.#caughtUp(name);
      if (unread.length > 0) throw new Error(`but heard ${JSON.stringify(unread)}`);
    } else if (heard.startsWith("not ")) {
      const pattern = JSON.parse(heard.slice("not ".length));
      await this.#stage.pass(A_WHILE_MS);
      const found = (await this.#caughtUp(name)).find((value) => matches(pattern, value, { ...this.#kept }));
      if (found) throw new Error(`but heard ${JSON.stringify(found)}`);
    } else {
      await this.#expect(name, JSON.parse(heard));
    }
  }

  /** @param {string} name @param {any} pattern */
  async #expect(name, pattern) {
    const end = performance.now() + PATIENCE_MS;
    const past = [];
    for (;;) {
      const value = this.#unread.get(name)?.shift() ?? (await this.#stage.hear(name, Math.max(0, end - performance.now())));
      if (value === null) throw new Error(`but heard only\n    ${past.join("\n    ")}`);
      const kept = { ...this.#kept };
      if (matches(pattern, value, kept)) {
        this.#kept = kept;
        return;
      }
      past.push(JSON.stringify(value));
    }
  }

  /** All that this client has heard by now and the transcript has not. @param {string} name */
  async #caughtUp(name) {
    const unread = this.#unread.get(name) ?? [];
    this.#unread.set(name, unread);
    for (let value = await this.#stage.hear(name, 0); value !== null; value = await this.#stage.hear(name, 0)) unread.push(value);
    return unread;
  }
}

/** Whether `value` has at least what `pattern` has. @param {any} pattern @param {any} value @param {Record<string, any>} kept */
function matches(pattern, value, kept) {
  if (pattern === "*") return true;
  if (typeof pattern === "string" && pattern.startsWith("$")) {
    const name = pattern.slice(1);
    if (Object.hasOwn(kept, name)) return isSame(kept[name], value);
    kept[name] = value;
    return true;
  }
  if (Array.isArray(pattern)) {
    return Array.isArray(value) && pattern.length === value.length && pattern.every((one, i) => matches(one, value[i], kept));
  }
  if (!isObject(pattern)) return pattern === value;
  if (!isObject(value)) return false;
  return Object.entries(pattern).every(([key, wanted]) => {
    if (!Object.hasOwn(value, key)) return wanted === "absent";
    return matches(wanted, value[key], kept);
  });
}

/** @param {any} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same JSON, whatever the order of its fields. @param {any} a @param {any} b @returns {boolean} */
function isSame(a, b) {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, i) => isSame(one, b[i]));
  if (!isObject(a)) return a === b;
  const keys = Object.keys(a);
  return isObject(b) && keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}
