// The player of transcripts: what it takes for having happened, and what not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { play } from "./world/transcript.js";

/** A stage on which each name hears what stands ready for it. */
function stage(ready = {}) {
  const did = [];
  return {
    did,
    async connect(name, how) {
      did.push(`${name} connects ${how}`.trim());
    },
    end: (name) => did.push(`${name} ends`),
    say: (name, text) => did.push(`${name}: ${text}`),
    hear: async (name) => ready[name]?.shift() ?? null,
    pass: async (ms) => did.push(ms),
  };
}

test("it does what is written, in order, with what was kept in its place", async () => {
  const ana = [{ type: "noise" }, { type: "ack", position: { epoch: "1", offset: 2 } }];
  const here = stage({ ana });
  await play(
    `# a comment
     with nodes 2
     ana connects allowed team-*
     ana <- {"type":"ack","position":"$p"}
     ana -> {"since":"$p","name":"$unknown"}
     ana -> {
     ---- 2 s
     ---- 50 ms
     ana is cut
     bo hangs up`,
    here,
  );
  const said = 'ana: {"since":{"epoch":"1","offset":2},"name":"$unknown"}';
  assert.deepEqual(here.did, ["ana connects allowed team-*", said, "ana: {", 2000, 50, "ana ends", "bo ends"]);
});

test("what happened otherwise is said with its line", async () => {
  const heard = { type: "ack", id: "x", list: [1, 2], position: { epoch: "1", offset: 2 } };
  const happened = ['{"type":"ack"}', '{"id":"*","list":[1,2]}', '{"room":"absent"}', '{"position":{"offset":2}}', 'not {"type":"error"}'];
  for (const line of happened) await play(`ana <- ${line}`, stage({ ana: [heard] }));
  const not = ['{"type":"error"}', '{"id":"absent"}', '{"room":"*"}', '{"list":[1]}', '{"list":{}}', "nothing", 'not {"type":"ack"}'];
  for (const line of not) {
    // What came before `nothing` is not meant by it.
    const ana = line === "nothing" ? [null, heard] : [heard];
    const wrong = play(`\nana <- ${line}`, { ...stage(), hear: async () => ana.shift() ?? null });
    await assert.rejects(wrong, (error) => error.message.startsWith(`line 2: ana <- ${line}\n`));
  }
  await assert.rejects(play('ana <- {"id":"$x"}\nana <- {"id":"$x"}', stage({ ana: [{ id: "1" }, { id: "2" }] })), /^Error: line 2/);
  await assert.rejects(play("a back end announces {}", stage()), /nobody here knows/);
  await assert.rejects(play("ana", stage()), /who does what/);
});
