// The real server for the tests of this folder: on a free port, in a folder of its own, gone with the test.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { WebSocket as FromWs } from "ws";

import { Kulkul } from "../../src/index.js";

/** The server refuses variables of ours that it does not know. */
const { KULKUL_BINARY: BINARY, ...environment } = process.env;
const env = { ...environment, KULKUL_LOG: "error" };

export function binary() {
  if (!BINARY) throw new Error("KULKUL_BINARY is not set: cargo build --package kulkul, then KULKUL_BINARY=../../target/debug/kulkul npm run test:server");
  return BINARY;
}

export async function server(t) {
  const folder = mkdtempSync(join(tmpdir(), "kulkul-client-"));
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
    child = spawn(binary(), ["serve", "--listen", address, "--data", folder], { env, stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: child.stdout }), "line");
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
    /** @param {string[]} more of `kulkul token` */
    token(user, ...more) {
      return execFileSync(binary(), ["token", "--user", user, "--name", `Name of ${user}`, "--data", folder, ...more], { encoding: "utf8", env }).trim();
    },
    client(user, options = {}) {
      const token = options.token ?? here.token(user);
      const client = new Kulkul(here.url, { WebSocket: socketClass(), ...options, token });
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

/** Resolves once it holds, looked at whenever one of them says something. The runner's own limit ends a wait in vain. */
export function until(holds, ...emitters) {
  return new Promise((resolve) => {
    const types = ["state", "frame", "messages", "pending", "people", "typing", "unread", "about", "event", "marks", "channels", "notification"];
    const offs = [];
    // After the frame: a listener of it may come before what it leads to.
    const look = () =>
      queueMicrotask(() => {
        if (!holds()) return;
        offs.forEach((off) => off());
        resolve();
      });
    for (const emitter of emitters) for (const type of types) offs.push(emitter.on(type, look));
    look();
  });
}
