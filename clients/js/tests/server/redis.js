// A real Redis for the tests of this folder, and nodes that share it: on a free port, in a folder of its own, gone with the test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";

import { server } from "./server.js";

/** It starts in a moment; so long only where the machine is very busy. */
const START_MS = 30_000;
const LOOK_MS = 50;

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
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const child = spawn("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"], { stdio: "ignore" });
  const failed = once(child, "error").then(([error]) => {
    if (error.code !== "ENOENT") throw error;
    throw new Error("redis-server is not on the PATH: apt-get install -y redis-server");
  });
  await Promise.race([once(child, "spawn"), failed]);
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  const deadline = Date.now() + START_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`redis-server did not answer within ${START_MS} ms`);
    await after(LOOK_MS);
  }
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

/** Whether it says PONG: it listens before it has read its files. @param {number} port */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.once("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString().startsWith("+PONG"));
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
