// Random interleavings against a naive model of the room, from seeds: a failure names its seed, and
// KULKUL_SEED=n node --test tests/model.test.js plays it again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { world } from "./world/client.js";
import { seeded, settled } from "./world/clock.js";
import { ModelRoom } from "./world/server.js";

const SEEDS = process.env.KULKUL_SEED ? [Number(process.env.KULKUL_SEED)] : Array.from({ length: 200 }, (_, i) => i + 1);
const STEPS = 120;
const ANA = { id: "7", name: "Ana" };
const BO = { id: "8", name: "Bo" };
const FAULTS = ["BUSY", "RATE_LIMIT", "UNCONFIRMED"];

/** One life of a client in a room, with everything that can go wrong on the way. */
async function played(seed) {
  const random = seeded(seed);
  const below = (n) => Math.floor(random() * n);
  const here = world({ messagesMax: 10_000 }, random);
  const { client, clock, net } = here;
  const model = new ModelRoom("general");
  if (seed % 3 === 0) model.reads = 4;
  const room = client.room("general");
  // Of these a message may be lost by the server's own fault, and then be there under no promise.
  const losing = seed % 5 === 0;
  let faults = true;
  const heard = [];
  room.on("message", ({ id, position }) => heard.push(`${position.epoch} ${id}`));
  const sent = [];
  // Of these a message may be stored or not, but is seen by its author as by all.
  const given = new Set();
  const live = () => [...model.connections].find(([socket]) => socket === net.last && socket.readyState === 1);
  const deliver = (most) => {
    const [socket, connection] = live() ?? [];
    for (let i = 0; i < most && connection?.told.length > 0; i += 1) socket.deliver(connection.told.shift());
  };
  const accept = () => {
    if (net.last?.readyState !== 0) return;
    model.connect(net.last, ANA, () => faults && below(6) === 0 && FAULTS[below(3)]);
    net.last.accept();
  };
  const cut = () => {
    model.connections.delete(net.last);
    net.last?.end(1006);
  };
  const some = () => room.messages[below(room.messages.length)]?.id;
  const quiet = (promise) => promise.catch((error) => assert.equal(error.code, "NOT_FOUND"));
  const giveUp = (pending) => {
    if (!pending) return;
    given.add(pending.payload.content);
    room.discard(pending.id);
  };
  const theirs = () => model.now()[below(model.now().length)]?.id;
  const acts = [
    () => sent.push({ content: `a${sent.length}`, answer: room.send(`a${sent.length}`) }),
    () => below(4) === 0 && giveUp(room.pending[below(room.pending.length)]),
    () => void model.append("new_message", { content: `b${model.ids}` }, BO),
    () => void (theirs() && model.append("message_edited", { message_id: theirs(), content: `edit${model.ids}` }, BO)),
    () => void (theirs() && model.append("reaction_added", { message_id: theirs(), reaction: "🥁" }, BO)),
    () => void (theirs() && model.append("reaction_removed", { message_id: theirs(), reaction: "🥁" }, BO)),
    () => below(4) === 0 && theirs() && model.append("message_deleted", { message_id: theirs() }, BO),
    () => below(20) === 0 && model.append("user_erased", { user_id: "8" }, BO),
    () => some() && quiet(room.react(some(), "👍")),
    () => some() && quiet(room.unreact(some(), "👍")),
    () => some() && quiet(room.edit(some(), `mine${seed}`)),
    () => below(4) === 0 && some() && quiet(room.remove(some())),
    () => quiet(room.loadOlder(1 + below(8))),
    () => below(4) === 0 && cut(),
    () => below(10) === 0 && (model.from = Math.max(model.from, model.log.length - 5)),
    () => losing && below(10) === 0 && model.lose(below(4), seed % 2 === 0),
  ];
  for (let i = below(12); i > 0; i -= 1) model.append("new_message", { content: `b${model.ids}` }, BO);
  room.join();
  client.connect();
  for (let step = 0; step < STEPS; step += 1) {
    acts[below(acts.length)]();
    if (below(3) > 0) deliver(below(6));
    if (below(3) === 0) await clock.pass(below(3000));
    if (below(2) === 0) accept();
    await settled();
  }
  // All is well again: whatever was on its way arrives.
  faults = false;
  for (let i = 0; i < 400 && (client.waiting > 0 || live()?.[1].told.length !== 0 || room.state !== "open"); i += 1) {
    accept();
    deliver(1000);
    await clock.pass(500);
  }
  return { model, room, client, heard, sent, given, losing };
}

test(`${SEEDS.length} random lives end with what the model holds`, async () => {
  let messages = 0;
  for (const seed of SEEDS) {
    const says = `seed ${seed}`;
    const { model, room, client, heard, sent, given, losing } = await played(seed);
    assert.deepEqual([client.waiting, room.state, room.pending], [0, "open", []], says);
    assert.deepEqual(room.position, model.head, says);
    const held = JSON.parse(JSON.stringify(room.messages)).map(({ clientId, ...message }) => message);
    const all = model.now().map(({ type, room: _, ...message }) => message);
    // From the first one that is here on, nothing is missing and nothing is twice.
    const first = all.findIndex(({ id }) => id === held[0]?.id);
    assert.deepEqual(held, held.length > 0 ? all.slice(first) : [], says);
    assert.equal(new Set(heard).size, heard.length, says);
    if (!losing) {
      const stored = model.log.filter(({ type, sender }) => type === "new_message" && sender.id === "7").map(({ payload }) => payload.content);
      const kept = sent.filter(({ content }) => !given.has(content));
      assert.deepEqual(stored.filter((content) => !given.has(content)), kept.map(({ content }) => content), `${says}: each once, in order`);
      assert.equal(new Set(stored).size, stored.length, `${says}: none twice`);
      for (const { content, answer } of kept) {
        const { position } = await answer;
        assert.equal(model.log[position.offset - 1].payload.content, content, says);
      }
    }
    messages += held.length;
  }
  assert.ok(messages > SEEDS.length * 5, `${messages} messages`);
});
