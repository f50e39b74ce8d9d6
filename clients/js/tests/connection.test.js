// How a client comes back: when, with which token, and when not at all.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { CLOSES, Kulkul, Refusal } from "../src/index.js";
import { backoff } from "../src/backoff.js";
import { retryAfter } from "../src/closes.js";
import { refused, token, world } from "./world/client.js";
import { seeded, settled } from "./world/clock.js";

test("the table of close codes is the protocol's", () => {
  const page = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (\d{4}) \| ([^|]+) \| ([^|]+) \|$/gm)];
  const table = Object.fromEntries(rows.map(([, code, words, back]) => [code, [words.split(",")[0].trim(), back.trim()]]));
  const said = { "yes": "yes", "no": "no", "new token": "yes, with a new token", "delay": "yes, after the delay in the words" };
  const ours = Object.fromEntries(Object.entries(CLOSES).map(([code, { words, back }]) => [code, [words, said[back]]]));
  assert.ok(rows.length >= 14, `${rows.length} rows`);
  assert.deepEqual(ours, table);
});

test("back-off has full jitter, is capped, and never undercuts what the server asked for", () => {
  const random = seeded(1);
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    const ceiling = Math.min(30_000, 500 * 2 ** attempt);
    const [least, most, some] = [backoff(attempt, 0), backoff(attempt, 0.999999), backoff(attempt, random(), 1234)];
    assert.equal(least, 0);
    assert.ok(most < ceiling && most > ceiling * 0.99, `${attempt}: ${most}`);
    assert.ok(some >= 1234 && some < 1234 + ceiling);
  }
  assert.deepEqual(["draining, retry after 1500 ms", "rate limit", "", undefined].map(retryAfter), [1500, 0, 0, 0]);
});

test("it says who it is beside the protocol's name, and shows each state once", async () => {
  const { client, net, states, join, open } = world();
  assert.equal(client.state, "offline");
  const socket = await open();
  assert.deepEqual(socket.protocols, ["kulkul", `bearer.${token()}`]);
  await join();
  assert.deepEqual(client.user, { id: "7", name: "Ana" });
  client.connect();
  assert.equal(net.sockets.length, 1);
  client.disconnect();
  assert.deepEqual(states, ["connecting", "open", "offline"]);
  assert.equal(socket.closedWith, 1000);
});

test("without a maximum it goes on trying; the delays double up to the cap", async () => {
  const { client, net, clock } = world({}, () => 1);
  client.connect();
  await settled();
  const delays = [];
  for (let i = 0; i < 12; i += 1) {
    net.last.end(1006);
    delays.push(client.status.retryInMs);
    await clock.pass(client.status.retryInMs);
  }
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000, 30000, 30000]);
  assert.equal(client.state, "connecting");
});

test("with a maximum it gives up after as many tries, and `connect` begins anew", async () => {
  const { client, net, clock } = world({ maxReconnectAttempts: 3 });
  client.connect();
  for (let i = 0; i < 3; i += 1) {
    await settled();
    net.last.end(1006);
    await clock.pass(60_000);
  }
  net.last.end(1006);
  assert.deepEqual([client.state, net.sockets.length], ["refused", 4]);
  assert.match(client.status.words, /3 tries/);
  await clock.pass(600_000);
  assert.equal(net.sockets.length, 4);
  client.connect();
  await settled();
  assert.deepEqual([client.state, net.sockets.length], ["connecting", 5]);
});

test("a good connection makes the next delay a short one", async () => {
  const { client, net, clock, join, reopen } = world({}, () => 1);
  client.connect();
  await settled();
  for (let i = 0; i < 5; i += 1) {
    net.last.end(1006);
    await clock.pass(client.status.retryInMs);
  }
  net.last.accept();
  net.last.end(1006);
  assert.equal(client.status.retryInMs, 16_000);
  await reopen();
  await join();
  net.last.end(1006);
  assert.equal(client.status.retryInMs, 500);
});

test("every code does what the table says", async () => {
  for (const [code, { words, back }] of Object.entries(CLOSES)) {
    const { client, net, clock, open } = world();
    (await open()).end(Number(code), back === "delay" ? `${words}, retry after 2000 ms` : words);
    if (back === "no" || back === "new token") {
      // A token that is only a text has no newer one: the next try would be the same.
      await clock.pass(60_000);
      assert.deepEqual([client.state, client.status.code, net.sockets.length], ["refused", Number(code), 1], code);
      if (back === "no") assert.equal(client.status.words, words);
    } else {
      const named = back === "delay" ? 2000 : 0;
      assert.equal(client.status.retryInMs, named + 250, code);
      await clock.pass(named + 249);
      assert.equal(net.sockets.length, 1, code);
      await clock.pass(1);
      assert.equal(net.sockets.length, 2, code);
    }
  }
});

test("a code that nobody knows means: come back", async () => {
  const { clock, net, open } = world();
  (await open()).end(4999, "what is this");
  await clock.pass(1000);
  assert.equal(net.sockets.length, 2);
});

test("a new token is asked for when the old one ended, is said to have, or may be why there was no connection", async () => {
  for (const [why, first, ends] of [
    ["its end", () => token("7", "Ana", { exp: Date.UTC(2026, 0, 1, 10, 0, 5) / 1000 }), 1006],
    ["4401", () => token(), 4401],
  ]) {
    let asked = 0;
    const here = world({ token: () => (++asked, first()) });
    const socket = await here.open();
    await here.clock.pass(6_000);
    assert.equal(asked, 1, why);
    socket.end(ends);
    await here.clock.pass(30_000);
    assert.ok(asked >= 2, why);
  }
  let asked = 0;
  const { client, net, clock, open } = world({ token: async () => (++asked, token()) });
  const socket = await open();
  socket.end(1006);
  await clock.pass(10_000);
  assert.deepEqual([asked, net.sockets.length], [1, 2], "a good token is used again");
  net.last.end(1006);
  await clock.pass(10_000);
  assert.deepEqual([asked, net.sockets.length], [2, 3], "an upgrade that failed");
  client.disconnect();
});

test("a token source that fails, gives nothing or hangs is asked again later", async () => {
  for (const source of [() => Promise.reject(new Error("no login")), () => "", () => new Promise(() => {})]) {
    const { client, net, clock, errors } = world({ token: source });
    client.connect();
    await clock.pass(30_000);
    assert.equal(net.sockets.length, 0);
    assert.ok(errors.length >= 1 && errors.every(({ message }) => /no login|gave/.test(message)), String(errors));
    assert.ok(["offline", "connecting"].includes(client.state));
    client.disconnect();
    await clock.pass(100_000);
    assert.equal(client.state, "offline");
  }
});

test("a token that is about to end is replaced on the open connection", async () => {
  let asked = 0;
  const { net, open, errors, clock } = world({ token: () => token("7", `Ana ${++asked}`) });
  const socket = await open();
  socket.deliver({ type: "token_expiring", payload: { expires: "2026-01-01T10:01:00.000Z" } });
  await settled();
  assert.equal(socket.of("refresh")[0].payload.token, token("7", "Ana 2"));
  socket.deliver({ type: "authenticated", id: socket.of("refresh")[0].id, payload: { user: { id: "7", name: "Ana 2" } } });
  socket.end(1006);
  await clock.pass(1000);
  assert.deepEqual([net.last.protocols[1], asked, errors], [`bearer.${token("7", "Ana 2")}`, 2, []]);
});

test("a token that is only a text cannot be renewed: the connection lasts as long as it does", async () => {
  const { open, clock, client } = world({ token: token("7", "Ana", { exp: Date.UTC(2026, 0, 1, 10, 0, 5) / 1000 }) });
  const socket = await open();
  socket.deliver({ type: "token_expiring", payload: {} });
  await settled();
  assert.equal(socket.of("refresh").length, 0);
  socket.end(4401, "token expired");
  await clock.pass(60_000);
  assert.deepEqual([client.state, client.status.code], ["refused", 4401]);
});

test("a connection that says nothing is asked, and given up if it does not answer", async () => {
  const { open, join, clock, net, client } = world();
  const socket = await open();
  await join();
  await clock.pass(30_000);
  assert.equal(socket.of("online_users").length, 1);
  socket.deliver({ type: "online_users", id: socket.of("online_users")[0].id, room: "general", payload: { room_id: "general", users: [], count: 1 } });
  await clock.pass(29_000);
  assert.equal(net.sockets.length, 1);
  await clock.pass(30_000);
  assert.ok(net.sockets.length >= 2, client.state);
});

test("where there is no WebSocket, it says what to give", () => {
  const before = globalThis.WebSocket;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => new Kulkul("wss://example.org/ws", { token: "t" }), (error) => error instanceof Refusal && error.code === "NO_WEBSOCKET" && /`ws`/.test(error.message));
  } finally {
    if (before) globalThis.WebSocket = before;
  }
});

test("an address or a token that no socket takes is refused once, with the reason", async () => {
  for (const [url, bad] of [["wss://example.org/ws", "a b"], ["no address", "t"]]) {
    const { net } = world();
    const client = new Kulkul(url, { token: bad, WebSocket: net.WebSocket, clock: world().clock });
    client.connect();
    await settled();
    assert.equal(client.state, "refused");
    assert.notEqual(client.status.words, "");
  }
});

test("what is no frame is ignored, and an error without an id is told", async () => {
  const { open, errors, client } = world();
  const socket = await open();
  for (const text of ["", "[]", "null", "{}", '{"type":7}', "{", '{"type":"of_tomorrow","room":"general","payload":{}}']) socket.deliver(text);
  assert.deepEqual(errors, []);
  socket.deliver(refused("INVALID_FORMAT", { room: undefined }));
  assert.deepEqual(errors.map(({ code }) => code), ["INVALID_FORMAT"]);
  assert.equal(client.state, "open");
});

test("an implementation that tells a failed upgrade by an error alone is heard too", async () => {
  const { client, net } = world();
  client.connect();
  await settled();
  net.last.onerror({});
  assert.deepEqual([client.state, client.status.code], ["offline", 1006]);
});
