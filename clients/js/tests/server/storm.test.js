// A server that is killed under the talk of many, again and again: all come back by themselves, spread out, and miss nothing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { contents } from "../world/client.js";
import { counted, server, until } from "./server.js";

const CLIENTS = 60;
const ROOMS = 6;
const KILLS = 3;
/** Messages that each client says in each of its two rooms: some under way when the server dies, one while it is away. */
const UNDER_WAY = 2;
const AWAY = 1;
/** Answers after which the server dies: the talk has begun, and by far most of it has no answer. */
const BEGUN = 20;

/** One of the many: in two rooms, writing down when it meant to come back. */
function member(here, number) {
  const { WebSocket, opened } = counted();
  const client = here.client(`u${number}`, { WebSocket });
  const one = { number, client, opened, delays: [], rooms: [number, number + 1].map((room) => client.room(`r${room % ROOMS}`)) };
  client.on("state", ({ state, attempt, retryInMs }) => state === "offline" && one.delays.push({ attempt, ms: retryInMs }));
  return one;
}

/** By count, so that it is the same on a slow machine: full jitter leaves no tenth of the span with a third of all. */
function assertSpread(delays, span) {
  assert.equal(delays.length, CLIENTS);
  const tenths = Array(10).fill(0);
  for (const ms of delays) tenths[Math.min(9, Math.floor((ms * 10) / span))] += 1;
  assert.ok(Math.max(...delays) <= span, `${Math.max(...delays)} of ${span}`);
  assert.ok(tenths.filter((count) => count > 0).length >= 6, tenths.join(" "));
  assert.ok(Math.max(...tenths) <= CLIENTS / 3, tenths.join(" "));
}

test("killed three times under the talk of sixty: each comes back by itself, and has every message once and in one order", async (t) => {
  const here = await server(t);
  const members = Array.from({ length: CLIENTS }, (_, number) => member(here, number));
  const clients = members.map(({ client }) => client);
  const rooms = members.flatMap((one) => one.rooms);
  await Promise.all(rooms.map((room) => room.join()));
  /** What the server said that it has: the text by the room's name and the message's id, which is the room's own. */
  const stored = new Map();
  const key = (room, id) => `${room.name} ${id}`;
  const said = [];
  const say = (words) => {
    for (const { number, rooms: own } of members) {
      for (const room of own) {
        const content = `${words} by ${number} in ${room.name}`;
        said.push(room.send(content).then(({ message_id }) => stored.set(key(room, message_id), content)));
      }
    }
  };
  for (let kill = 0; kill < KILLS; kill += 1) {
    for (const one of members) one.delays = [];
    const opened = members.map((one) => one.opened.length);
    const before = stored.size;
    for (let i = 0; i < UNDER_WAY; i += 1) say(`${kill}.${i}`);
    await until(() => stored.size >= before + BEGUN, ...rooms);
    await here.kill();
    const answered = stored.size - before;
    assert.ok(answered < members.length * 2 * UNDER_WAY, `all ${answered} were answered before it died`);
    await until(() => clients.every(({ state }) => state !== "open" && state !== "catching-up"), ...clients);
    for (let i = 0; i < AWAY; i += 1) say(`${kill} away ${i}`);
    // Nobody stops at the first try in vain.
    await until(() => members.every(({ delays }) => delays.length >= 3), ...clients);
    await here.start();
    await until(() => rooms.every(({ state }) => state === "open") && clients.every(({ state }) => state === "open"), ...clients, ...rooms);
    for (const [i, one] of members.entries()) {
      assert.deepEqual(one.delays.map(({ attempt }) => attempt), one.delays.map((_, attempt) => attempt));
      // One try after each wait, and none besides.
      assert.equal(one.opened.length - opened[i], one.delays.length);
    }
    for (const attempt of [0, 1, 2]) assertSpread(members.map(({ delays }) => delays[attempt].ms), 500 * 2 ** attempt);
  }
  await Promise.all(said);
  const each = ((CLIENTS * 2) / ROOMS) * (UNDER_WAY + AWAY) * KILLS;
  await until(() => rooms.every(({ messages }) => messages.length >= each), ...rooms);
  assert.deepEqual([stored.size, new Set(stored.values()).size], [each * ROOMS, each * ROOMS]);
  const reader = here.client("reader");
  for (let number = 0; number < ROOMS; number += 1) {
    const late = reader.room(`r${number}`);
    await late.loadOlder(100);
    while (late.more) await late.loadOlder(100);
    const ids = late.messages.map(({ id }) => id);
    assert.deepEqual([ids.length, new Set(ids).size], [each, each]);
    assert.ok(late.messages.every(({ id, payload }) => stored.get(key(late, id)) === payload.content));
    for (const room of rooms.filter(({ name }) => name === late.name)) {
      assert.deepEqual(room.messages.map(({ id }) => id), ids, room.name);
      assert.deepEqual(contents(room), contents(late));
    }
  }
  assert.ok(rooms.every(({ pending }) => pending.length === 0));
});
