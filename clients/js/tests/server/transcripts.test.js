// The protocol's own dialogues, with this client for each party: its connection and its codec are what speaks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { play } from "../world/transcript.js";
import { Parties } from "./parties.js";
import { fleet } from "./redis.js";
import { server } from "./server.js";

const ROOT = new URL("../../../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), "utf8");

/** Those that are played between real sockets and nodes, and of them those that need nobody but clients of this protocol. */
const [, listed] = /const DIALOGUES: \[&str; \d+\] = \[(.*?)\];/s.exec(read("crates/server/tests/dialogues.rs")) ?? [];
const DIALOGUES = [...(listed ?? "").matchAll(/"(\w+)"/g)]
  .map(([, name]) => ({ name, text: read(`sim/transcripts/${name}.txt`) }))
  .filter(({ text }) => !/^(a back end |\S+ is revoked$|\S+ connects by )/m.test(text));

/** A department as the Rust side's nodes have it. */
const STAFFED = `secret = "0123456789abcdef0123456789abcdef"
operator_listen = "127.0.0.1:0"
[[support.departments]]
name = "general"
sessions_max = 2
`;

/** Most of their time is waiting; each has servers of its own. */
const AT_ONCE = 5;

test("all that clients alone can play are played", () => {
  const names = DIALOGUES.map(({ name }) => name);
  assert.ok(names.length >= 15, `${names}`);
  for (const name of ["errors", "resume", "rooms"]) assert.ok(names.includes(name), name);
});

describe("transcripts", { concurrency: AT_ONCE }, () => {
  for (const { name, text } of DIALOGUES) {
    test(name, async (t) => {
      const [, count] = /^with nodes (\d+)$/m.exec(text) ?? [];
      const nodes = count ? await fleet(t, Number(count)) : [await server(t, { config: /^\S+ connects as /m.test(text) ? STAFFED : undefined })];
      await play(text, new Parties(t, nodes));
    });
  }
});
