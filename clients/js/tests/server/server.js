// The real server for the tests of this folder: on a free port, in a folder of its own, gone with the test.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { WebSocket as FromWs } from "ws";

import { Kulkul } from "../../src/index.js";

/** The server refuses variables of ours that it does not know. */
const { KULKUL_BINARY: BINARY, ...environment } = process.env;
const env = { ...environment, KULKUL_LOG: "error" };

/** Servers that run; they end with this process, also where the runner ends it: what outlives it would hold its output open. */
const RUNNING = new Set();
process.once("SIGTERM", () => {
  for (const child of RUNNING) child.kill("SIGKILL");
  process.kill(process.pid, "SIGTERM");
});

/** @template {import("node:child_process").ChildProcess} C @param {C} child @returns {C} */
export function owned(child) {
  RUNNING.add(child);
  child.once("exit", () => RUNNING.delete(child));
  return child;
}

/** Longer than any test has to wait; below the runner's limit for a file, so that what did not come is named. */
const UNTIL_MAX_MS = 120_000;

const GLANCE_MS = 50;

export function binary() {
  if (!BINARY) throw new Error("KULKUL_BINARY is not set: cargo build --package kulkul, then KULKUL_BINARY=../../target/debug/kulkul npm run test:server");
  // The server runs in a folder of its own.
  return resolve(BINARY);
}

/**
 * @param {object} [asked]
 * @param {string} [asked.config] the text of its configuration; none: the demo mode
 * @param {string} [asked.engine] where its logs live; none: on disk
 */
export async function server(t, { config, engine } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "kulkul-client-"));
  const from = config === undefined ? ["--data", folder] : ["--config", join(folder, "kulkul.toml")];
  if (config !== undefined) writeFileSync(from[1], config);
  const logs = engine === undefined ? [] : ["--engine", engine];
  let child = null;
  let address = "127.0.0.1:0";
  const clients = [];
  const kill = async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  };
  t.after(async () => {
    clients.forEach((client) => client.disconnect());
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async () => {
    child = owned(spawn(binary(), ["serve", "--listen", address, ...from, ...logs], { env, cwd: folder, stdio: ["ignore", "pipe", "inherit"] }));
    const ended = once(child, "exit").then(([code, signal]) => {
      throw new Error(`the server ended with ${code ?? signal} before it listened`);
    });
    // Once it listens, its end is another's concern.
    ended.catch(() => {});
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), "line"), ended]);
    address = new URL(JSON.parse(line).listening).host;
  };
  await start();
  const here = {
    start,
    kill,
    get url() {
      return `ws://${address}/ws`;
    },
    get page() {
      return `http://${address}`;
    },
    get address() {
      return address;
    },
    /** @param {string[]} more of `kulkul token` */
    token(user, ...more) {
      const name = more.includes("--name") ? [] : ["--name", `Name of ${user}`];
      return execFileSync(binary(), ["token", "--user", user, ...name, ...from, ...more], { encoding: "utf8", env, cwd: folder }).trim();
    },
    client(user, { url = here.url, ...options } = {}) {
      const token = options.token ?? here.token(user);
      const client = new Kulkul(url, { WebSocket: socketClass(), ...options, token });
      client.connect();
      clients.push(client);
      return client;
    },
  };
  return here;
}

/** The machine's own where it has one, so that both kinds are tried. */
export function socketClass() {
  return globalThis.WebSocket ?? FromWs;
}

/** The same, and the times at which one of them was opened. */
export function counted() {
  const opened = [];
  class Counted extends socketClass() {
    constructor(url, protocols) {
      super(url, protocols);
      opened.push(performance.now());
    }
  }
  return { WebSocket: Counted, opened };
}

/** Resolves once it holds, looked at whenever one of them says something, and now and then: what a promise brings about holds a moment later. */
export function until(holds, ...emitters) {
  return new Promise((resolve, reject) => {
    const types = ["state", "frame", "messages", "pending", "people", "typing", "unread", "about", "event", "marks", "channels", "notification"];
    const offs = [];
    const end = performance.now() + UNTIL_MAX_MS;
    const inVain = new Error(`not within ${UNTIL_MAX_MS / 1000} s: ${holds}`);
    // After the frame: a listener of it may come before what it leads to.
    const look = () =>
      queueMicrotask(() => {
        const done = holds();
        if (!done && performance.now() < end) return;
        clearInterval(again);
        offs.forEach((off) => off());
        if (done) resolve();
        else reject(inVain);
      });
    const again = setInterval(look, GLANCE_MS);
    for (const emitter of emitters) for (const type of types) offs.push(emitter.on(type, look));
    look();
  });
}
