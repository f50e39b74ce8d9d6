// The examples of README.md run as they stand there, each in a process of its own, against the real server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { contents } from "../world/client.js";
import { server, until } from "./server.js";

const HOME = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLES = [...readFileSync(join(HOME, "README.md"), "utf8").matchAll(/^```js run\n(.*?)^```$/gms)].map(([, code]) => code);

/** What each says, and what is in the room then. */
const EXPECTED = [
  { says: [/^stored as .+/m], room: "general", content: /^Hello everyone!$/ },
  { says: [/open null/, /'Here I am'/, /are here/, /Here I am \(sending\)/], room: "general", content: /^Here I am$/ },
  { says: [/^\d+ (true|false)$/m], room: "drummers" },
  { says: [], room: "general", content: /^Hello everyone!$/ },
];

test("every example runs", async (t) => {
  assert.equal(EXAMPLES.length, EXPECTED.length);
  for (const [i, { says, room: name, content }] of EXPECTED.entries()) {
    const here = await server(t);
    const room = here.client("9").room(name);
    await room.join();
    // In this folder, so that `kulkul` is the package itself, as it stands here.
    const file = join(HOME, `example-${process.pid}-${i}.mjs`);
    const before = `import { WebSocket as Own } from "ws"; globalThis.WebSocket ??= Own;
      const url = ${JSON.stringify(here.url)}; const token = ${JSON.stringify(here.token("7"))};\n`;
    writeFileSync(file, `${before}${EXAMPLES[i]}\nconsole.log("to the end");`);
    const child = spawn(process.execPath, ["--conditions=source", file], { cwd: HOME, stdio: ["ignore", "pipe", "pipe"] });
    try {
      let said = "";
      child.stdout.on("data", (text) => (said += text));
      child.stderr.on("data", (text) => (said += text));
      // Until it says so, or ends before.
      const ended = once(child, "close").then(() => "ended");
      const spoke = () => once(child.stdout, "data").then(() => "spoke");
      while (!said.includes("to the end") && (await Promise.race([spoke(), ended])) === "spoke");
      assert.match(said, /to the end/, `example ${i + 1}: ${said}`);
      if (content) await until(() => room.messages.some(({ payload }) => content.test(payload.content)), room);
      for (const word of says) assert.match(said, word, `example ${i + 1}`);
      assert.ok(contents(room).length <= 1);
    } finally {
      child.kill();
      rmSync(file);
    }
  }
});
