// What is shipped: its size, its files, and that it can be installed, imported and type-checked from outside.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HOME = fileURLToPath(new URL("..", import.meta.url));
/** Of what is shipped: a page loads it before it can show anything. */
const RAW_MAX = 64 << 10;
const GZIP_MAX = 17 << 10;

const sources = readdirSync(join(HOME, "src")).filter((name) => name.endsWith(".js")).map((name) => readFileSync(join(HOME, "src", name)));

test("no module needs anything but its neighbours", () => {
  for (const source of sources) {
    const imported = [...String(source).matchAll(/^(?:import|export) .*from "([^"]+)"/gm)].map(([, from]) => from);
    assert.ok(imported.every((from) => /^\.\/[a-z]+\.js$/.test(from)), imported.join());
    assert.doesNotMatch(String(source), /\bimport\(["'](?!\.\/types)|\brequire\(/);
  }
});

test("the package is small, installs, imports and types from outside", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kulkul-package-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const npm = (cwd, ...args) => execFileSync("npm", [...args, "--silent", "--no-audit", "--no-fund"], { cwd, encoding: "utf8" });
  const [packed] = JSON.parse(npm(HOME, "pack", "--json", "--pack-destination", folder));
  const files = packed.files.map(({ path }) => path);
  for (const file of ["package.json", "README.md", "LICENSE-APACHE", "LICENSE-MIT", "dist/index.js", "types/index.d.ts", "types/types.d.ts"]) {
    assert.ok(files.includes(file), `${file} among ${files}`);
  }
  assert.deepEqual(files.filter((file) => /test|node_modules|scripts|lock|src/.test(file)), []);
  assert.equal(readdirSync(HOME).some((name) => /^(dist|types|LICENSE.*)$/.test(name)), false, "what was made for the package is gone again");

  writeFileSync(join(folder, "package.json"), '{"name":"outside","private":true,"type":"module"}');
  npm(folder, "install", "--offline", `./${packed.filename}`);
  const dist = join(folder, "node_modules/kulkul/dist");
  const all = Buffer.concat(readdirSync(dist).map((name) => readFileSync(join(dist, name))));
  const [raw, gzip] = [all.length, gzipSync(all, { level: 9 }).length];
  assert.ok(raw <= RAW_MAX, `${raw} bytes, ${RAW_MAX} are the most`);
  assert.ok(gzip <= GZIP_MAX, `${gzip} bytes after gzip, ${GZIP_MAX} are the most`);
  const used = 'import * as all from "kulkul"; console.log(Object.keys(all).sort().join())';
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", used], { cwd: folder, encoding: "utf8" });
  assert.equal(said.trim(), "CLOSES,Inbox,Kulkul,Refusal,Room,WebSocketClient,directRoom");

  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const check = (code) => {
    writeFileSync(join(folder, "page.ts"), code);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom"];
    return execFileSync(process.execPath, [tsc, ...options, "page.ts"], { cwd: folder, encoding: "utf8", stdio: "pipe" });
  };
  const good = `
    import { Kulkul, type Room, Refusal } from "kulkul";
    const client = new Kulkul("wss://example.org/ws", { token: async () => "t" });
    const room: Room = client.join("general");
    room.on("messages", ({ kind, message }) => console.log(kind, message?.payload.content, room.messages[0]?.position.offset));
    client.on("state", ({ state, retryInMs }) => console.log(state satisfies string, retryInMs?.toFixed()));
    room.send("hi", { replyTo: "m" }).then(({ message_id }) => message_id.length, (error: Refusal) => error.code);
    room.mute("8", { seconds: 5 }); client.inbox.on("marks", (marks) => marks[0].upto.epoch);
  `;
  const bad = ["room.send(5)", "client.on('nothing', () => {})", "new Kulkul('x', {})", "room.about.title", "room.store"];
  check([good, ...bad].join("\n// @ts-expect-error no such thing\n"));
});
