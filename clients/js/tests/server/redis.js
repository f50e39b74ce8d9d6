// A real Redis for the tests of this folder, and nodes that share it: on a free port, in a folder of its own, gone with the test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { owned, server } from "./server.js";

/** What it says when it has read its files and takes connections. */
const READY = /ready to accept connections/i;

/** Nodes of one deployment have one secret. */
const CONFIG = `operator_listen = "127.0.0.1:0"
secret = "0123456789abcdef0123456789abcdef"
[[mounts]]
path = "/ws"
`;

/** Servers that are nodes of one deployment. @param {number} count */
export async function fleet(t, count) {
  const engine = `redis://${await redis(t)}`;
  return Promise.all(Array.from({ length: count }, () => server(t, { config: CONFIG, engine })));
}

/** Gives its address. */
async function redis(t) {
  const folder = mkdtempSync(join(tmpdir(), "kulkul-redis-"));
  const port = await freePort();
  const place = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder];
  const child = owned(spawn("redis-server", [...place, "--save", "", "--appendonly", "yes"], { stdio: ["ignore", "pipe", "ignore"] }));
  t.after(async () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    rmSync(folder, { recursive: true, force: true });
  });
  await once(child, "spawn").catch((error) => {
    if (error.code !== "ENOENT") throw error;
    throw new Error("redis-server is not on the PATH: apt-get install -y redis-server");
  });
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise((resolve) => lines.on("line", (line) => READY.test(line) && resolve(undefined)));
  const ended = once(child, "exit").then(([code, signal]) => {
    throw new Error(`redis-server ended with ${code ?? signal} before it was ready`);
  });
  // Once it is ready, its end is the test's own doing.
  ended.catch(() => {});
  await Promise.race([ready, ended]);
  return `127.0.0.1:${port}`;
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}
