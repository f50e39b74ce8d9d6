// Two nodes on one Redis behind one address: who loses its node goes on at the other one, without a gap and without a repeat.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";

import { contents } from "../world/client.js";
import { fleet } from "./redis.js";
import { until } from "./server.js";

/** One address for several nodes: each connection goes to the first that takes it. `went`: to which they went, in order. */
async function front(t, nodes) {
  const went = [];
  const sockets = new Set();
  const join = (client, i) => {
    if (i >= nodes.length) return client.destroy();
    const [host, port] = nodes[i].address.split(":");
    const node = connect(Number(port), host);
    sockets.add(client).add(node);
    const refused = () => join(client, i + 1);
    node.once("error", refused);
    node.once("connect", () => {
      node.off("error", refused);
      went.push(i);
      for (const [one, other] of [[client, node], [node, client]]) {
        one.on("error", () => other.destroy());
        one.on("close", () => other.destroy());
        one.pipe(other);
      }
    });
  };
  const listener = createServer((client) => join(client.on("error", () => {}), 0)).listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `ws://127.0.0.1:${listener.address().port}/ws`, went };
}

/** Types of all frames that this client heard, and how often it was told to begin anew. */
function anew(client) {
  const heard = [];
  client.on("frame", ({ type }) => ["gap", "reset"].includes(type) && heard.push(type));
  return heard;
}

test("a client whose node dies goes on at the other, and back again: no gap, no reset, nothing twice", async (t) => {
  const nodes = await fleet(t, 2);
  const { url, went } = await front(t, nodes);
  const client = nodes[0].client("7", { url });
  const steady = nodes[1].client("8");
  const begunAnew = anew(client);
  const [ana, bo] = [client.room("general"), steady.room("general")];
  await Promise.all([ana.join(), bo.join()]);
  await until(() => ana.people.length === 2 && bo.people.length === 2, ana, bo);
  const said = [];
  const stored = new Map();
  const say = (room, content) => said.push(room.send(content).then(({ message_id }) => stored.set(message_id, content)));
  for (let i = 0; i < 5; i += 1) [ana, bo].forEach((room, who) => say(room, `at first ${who} ${i}`));
  await Promise.all(said);
  assert.deepEqual(went, [0]);

  // In the middle of talk.
  for (let i = 0; i < 10; i += 1) say(ana, `under way ${i}`);
  await until(() => stored.size >= 12, ana, bo);
  await nodes[0].kill();
  for (let i = 0; i < 5; i += 1) say(bo, `without her ${i}`);
  for (let i = 0; i < 5; i += 1) say(ana, `without a node ${i}`);
  await Promise.all(said);
  await until(() => client.state === "open" && ana.state === "open", client, ana);
  assert.deepEqual(went, [0, 1]);

  // Back: the first node is there again, and is tried first when the connection is lost.
  await nodes[0].start();
  for (let i = 0; i < 10; i += 1) say(bo, `meanwhile ${i}`);
  client.cut();
  for (let i = 0; i < 5; i += 1) say(ana, `on the way back ${i}`);
  await Promise.all(said);
  await until(() => client.state === "open" && ana.state === "open", client, ana);
  assert.deepEqual(went, [0, 1, 0]);

  const count = said.length;
  await until(() => ana.messages.length >= count && bo.messages.length >= count, ana, bo);
  const ids = ana.messages.map(({ id }) => id);
  assert.deepEqual([ids.length, new Set(ids).size, stored.size], [count, count, count]);
  assert.deepEqual(bo.messages.map(({ id }) => id), ids);
  assert.deepEqual(contents(ana), ids.map((id) => stored.get(id)));
  const own = (words) => contents(ana).filter((content) => content.startsWith(words));
  const numbered = (words, length) => Array.from({ length }, (_, i) => `${words} ${i}`);
  for (const [words, length] of [["under way", 10], ["without a node", 5], ["without her", 5], ["on the way back", 5]]) {
    assert.deepEqual(own(words), numbered(words, length));
  }
  assert.deepEqual(begunAnew, []);
  const offsets = ana.messages.map(({ position }) => position);
  assert.equal(new Set(offsets.map(({ epoch }) => epoch)).size, 1);
});
