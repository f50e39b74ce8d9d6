// The stage of a transcript with real servers: one client of ours for each party, by which all is said and heard. Time passes
// here because the transcript says so, or until a party's patience ends.

import { setTimeout as after } from "node:timers/promises";

import { Kulkul } from "../../src/index.js";
import { socketClass, until } from "./server.js";

/** Waits beyond this are for rooms to be let go; the simulator plays them to their end. */
const WAIT_MAX_MS = 6_000;
/** They have no answer where they have no id. */
const SILENT = new Set(["leave_room", "typing", "stop_typing"]);

/** "agent in general licences" */
function staff([role, , ...groups]) {
  return ["--role", role, ...groups.flatMap((group) => ["--groups", group])];
}

/** @implements {import("../world/transcript.js").Stage} */
export class Parties {
  #nodes;
  /** @type {Map<string, Party>} */
  #parties = new Map();
  #came = 0;

  /** @param {any[]} nodes each party comes to another one than the one before it */
  constructor(t, nodes) {
    this.#nodes = nodes;
    t.after(() => [...this.#parties.values()].forEach(({ client }) => client.disconnect()));
  }

  async connect(name, how) {
    const [word, ...rest] = how === "" ? [] : how.split(" ");
    if (![undefined, "to", "allowed", "as"].includes(word)) throw new Error(`nobody here knows how to connect ${how}`);
    const number = word === "to" ? Number(rest[0]) : this.#came % this.#nodes.length;
    const node = this.#nodes[Math.min(number, this.#nodes.length - 1)];
    const says = word === "allowed" ? rest.flatMap((room) => ["--rooms", room]) : word === "as" ? staff(rest) : [];
    const before = this.#parties.get(name);
    before?.end();
    if (!before) this.#came += 1;
    // One client for each, as long as it comes as who it was and to where it was.
    const party = before?.node === node && before.how === how ? before : new Party(node, how, this.#token(node, name, says));
    this.#parties.set(name, party);
    await party.connect();
  }

  #token(node, name, says) {
    const [user] = name.split("/");
    return node.token(user, "--name", `${user[0].toUpperCase()}${user.slice(1)}`, ...says);
  }

  #party(name) {
    const party = this.#parties.get(name);
    if (!party) throw new Error(`${name} is not connected`);
    return party;
  }

  end(name) {
    this.#party(name).end();
  }

  say(name, text) {
    this.#party(name).say(text);
  }

  hear(name, ms) {
    return this.#party(name).hear(ms);
  }

  async pass(ms) {
    await after(Math.min(ms, WAIT_MAX_MS));
  }
}

class Party {
  /** What the client heard and the transcript did not. @type {any[]} */
  #heard = [];
  #socket = /** @type {any} */ (null);
  #sent = "";
  /** Words that had no id until the client drew one: no transcript knows of it. @type {Map<string, string>} */
  #drawn = new Map();
  #wake = () => {};

  constructor(node, how, token) {
    this.node = node;
    this.how = how;
    const saw = (socket) => (this.#socket = socket);
    const sent = (text) => (this.#sent = text);
    class Overheard extends socketClass() {
      constructor(url, protocols) {
        super(url, protocols);
        saw(this);
      }

      send(text) {
        sent(text);
        super.send(text);
      }
    }
    this.client = new Kulkul(node.url, { token, WebSocket: Overheard });
    this.client.on("frame", (frame) => this.#take(frame));
  }

  async connect() {
    this.#heard = [];
    this.#drawn.clear();
    this.client.connect();
    await until(() => this.client.state === "open", this.client);
  }

  /** As a network ends it, and then for good. */
  end() {
    this.client.cut();
    this.client.disconnect();
  }

  /** A frame goes by the client; what no client says, such as half a text, goes by its socket. @param {string} text */
  say(text) {
    const frame = frameOf(text);
    if (!frame) return this.#socket.send(text);
    if (!this.client.say(frame)) throw new Error("but there is no connection");
    if (frame.id === undefined) this.#drawn.set(JSON.parse(this.#sent).id, frame.type);
  }

  #take(frame) {
    const word = this.#drawn.get(frame.id);
    if (word !== undefined) {
      if (frame.type === "ack" && SILENT.has(word)) return;
      const { id: _, ...rest } = frame;
      frame = rest;
    }
    this.#heard.push(frame);
    this.#wake();
  }

  /** @param {number} ms */
  async hear(ms) {
    if (this.#heard.length === 0 && ms > 0) {
      const late = new AbortController();
      const patience = after(ms, undefined, { signal: late.signal }).catch(() => {});
      await Promise.race([new Promise((resolve) => (this.#wake = () => resolve(undefined))), patience]);
      late.abort();
    }
    return this.#heard.shift() ?? null;
  }
}

/** Null: no frame that a client could say. @param {string} text */
function frameOf(text) {
  try {
    const frame = JSON.parse(text);
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}
