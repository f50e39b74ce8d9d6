// The client and the real server: talk, lose each other in every way, and miss nothing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { WebSocketClient } from "../../src/index.js";
import { contents } from "../world/client.js";
import { server, socketClass, until } from "./server.js";

test("two people talk: each message once, in one order, the author's too", async (t) => {
  const here = await server(t);
  const [ana, bo] = [here.client("7"), here.client("8")].map((client) => client.room("general"));
  await Promise.all([ana.join(), bo.join()]);
  const sent = [];
  for (let i = 0; i < 10; i += 1) sent.push(ana.send(`a${i}`), bo.send({ content: `b${i}`, mood: i }, { replyTo: "x" }));
  const offsets = (await Promise.all(sent)).map(({ position }) => position.offset);
  assert.deepEqual([...offsets].sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1));
  await until(() => ana.messages.length === 20 && bo.messages.length === 20, ana, bo);
  const plain = (room) => room.messages.map(({ id, payload, sender, position }) => ({ id, payload, sender, position }));
  assert.deepEqual(plain(ana), plain(bo));
  const own = contents(ana).filter((content) => content.startsWith("a"));
  assert.deepEqual(own, Array.from({ length: 10 }, (_, i) => `a${i}`));
  await until(() => ana.people.length === 2, ana);
  assert.deepEqual(ana.people.map(({ name }) => name), ["Name of 7", "Name of 8"]);
});

test("kill -9 and a new start: who was there goes on without gap or repeat, and what was said meanwhile is stored once", async (t) => {
  const here = await server(t);
  const [first, second] = [here.client("7"), here.client("8")];
  const [ana, bo] = [first.room("general"), second.room("general")];
  await Promise.all([ana.join(), bo.join()]);
  await ana.send("before");
  await until(() => bo.messages.length === 1, bo);
  await here.kill();
  await until(() => first.state === "offline", first);
  const meanwhile = [ana.send("meanwhile 1"), ana.send("meanwhile 2"), bo.send("meanwhile 3")];
  assert.deepEqual(ana.pending.map(({ state }) => state), ["waiting", "waiting"]);
  await here.start();
  await Promise.all(meanwhile);
  await bo.send("after");
  await until(() => ana.messages.length === 5 && bo.messages.length === 5, ana, bo);
  assert.deepEqual(contents(ana), contents(bo));
  assert.deepEqual([...contents(ana)].sort(), ["after", "before", "meanwhile 1", "meanwhile 2", "meanwhile 3"]);
  assert.ok(contents(ana).indexOf("meanwhile 1") < contents(ana).indexOf("meanwhile 2"));
  await until(() => first.state === "open" && second.state === "open", first, second);
});

test("cut again and again in the middle of talk, it is all there once and in order", async (t) => {
  const here = await server(t);
  const [first, second] = [here.client("7"), here.client("8")];
  const [ana, bo] = [first.room("general"), second.room("general")];
  await Promise.all([ana.join(), bo.join()]);
  const sent = [];
  for (let i = 0; i < 40; i += 1) {
    sent.push(ana.send(`m${i}`));
    if (i % 10 === 5) {
      await sent[i - 3];
      first.cut();
      if (i % 20 === 5) second.cut();
    }
  }
  await Promise.all(sent);
  await until(() => bo.messages.length === 40 && first.state === "open", bo, first);
  const expected = Array.from({ length: 40 }, (_, i) => `m${i}`);
  assert.deepEqual([contents(ana), contents(bo)], [expected, expected]);
});

test("what its author gave up on its way is seen by the author too, if it was stored", async (t) => {
  const here = await server(t);
  const clients = ["7", "8"].map((user) => here.client(user));
  const [ana, bo] = clients.map((client) => client.room("general"));
  await Promise.all([ana.join(), bo.join()]);
  const given = ana.send("given up");
  assert.equal(ana.pending[0].state, "sending");
  ana.discard(ana.pending[0].id);
  await assert.rejects(given, { code: "DISCARDED" });
  await ana.send("kept");
  await until(() => ana.messages.length === 2 && bo.messages.length === 2 && clients[0].state === "open", ana, bo, clients[0]);
  assert.deepEqual([contents(ana), contents(bo)], [["given up", "kept"], ["given up", "kept"]]);
  assert.deepEqual(ana.position, bo.position);
});

test("a second device gets what the first one says, and neither is there twice", async (t) => {
  const here = await server(t);
  const [phone, desk, bo] = [here.client("7"), here.client("7"), here.client("8")].map((client) => client.room("general"));
  await Promise.all([phone.join(), desk.join(), bo.join()]);
  await phone.send("from the phone");
  await until(() => desk.messages.length === 1 && bo.messages.length === 1, desk, bo);
  assert.deepEqual([desk.messages[0].sender.id, desk.unread, bo.unread], ["7", 0, 1]);
  await until(() => bo.people.length === 2, bo);
  phone.startTyping();
  await until(() => bo.typing.length === 1, bo);
  assert.deepEqual([bo.typing, desk.typing], [[{ id: "7", name: "Name of 7" }], []]);
  phone.stopTyping();
  await until(() => bo.typing.length === 0, bo);
});

test("who comes later reads the past page by page up to the beginning", async (t) => {
  const here = await server(t);
  const ana = here.client("7").room("general");
  await ana.join();
  await Promise.all(Array.from({ length: 25 }, (_, i) => ana.send(`m${i}`)));
  const late = here.client("8").room("general");
  await late.join();
  assert.deepEqual([late.messages.length, late.more], [0, true]);
  await late.loadOlder(10);
  assert.deepEqual(contents(late), Array.from({ length: 10 }, (_, i) => `m${i + 15}`));
  await ana.send("live");
  await until(() => late.messages.length === 11, late);
  for (let pages = 0; late.more && pages < 5; pages += 1) await late.loadOlder(10);
  assert.deepEqual(contents(late), [...Array.from({ length: 25 }, (_, i) => `m${i}`), "live"]);
  const { messages, more } = await late.history({ after: late.messages[20].position, limit: 3 });
  assert.deepEqual([messages.map(({ payload }) => payload.content), more], [["m21", "m22", "m23"], true]);
  assert.equal((await late.online()).count, 2);
});

test("many rooms come back at once", async (t) => {
  const here = await server(t);
  const client = here.client("7");
  const rooms = Array.from({ length: 90 }, (_, i) => client.room(`r${i}`));
  await Promise.all(rooms.map((room) => room.join()));
  client.cut();
  await until(() => client.state === "open" && rooms.every(({ state }) => state === "open"), client, ...rooms);
});

test("a token of another secret is not let in; a good one from a function is, and is asked for again", async (t) => {
  const here = await server(t);
  const stranger = here.client("7", { token: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2ln", maxReconnectAttempts: 1 });
  await until(() => stranger.state === "refused", stranger);
  let asked = 0;
  const tokens = ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2ln", here.token("7")];
  const client = here.client("7", { token: async () => tokens[Math.min(asked++, 1)] });
  await client.room("general").join();
  assert.equal(asked, 2);
});

test("a room that the token does not name is refused, the others are not", async (t) => {
  const here = await server(t);
  const client = here.client("7", { token: here.token("7", "--rooms", "general") });
  const refused = client.room("secret").join();
  await client.room("general").join();
  await assert.rejects(refused, { code: "FORBIDDEN" });
  assert.equal(client.room("secret").state, "refused");
});

test("what the demo mode gives is a token", async (t) => {
  const here = await server(t);
  const ask = async () => {
    const answer = await fetch(`${here.page}/demo/token`, { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"name":"Ana"}' });
    return (await answer.json()).token;
  };
  const client = here.client("7", { token: ask });
  await client.room("general").join();
  assert.equal(client.user.name, "Ana");
});

test("the usage of the chat tutorial runs, its second parsing of the payload left out", async (t) => {
  const here = await server(t);
  const lines = [];
  let spoken;
  const first = new Promise((resolve) => (spoken = resolve));
  const open = (user) => {
    const ws = new WebSocketClient(here.url, here.token(user), { WebSocket: socketClass() });
    t.after(() => ws.disconnect());
    ws.on("new_message", (msg) => {
      lines.push(`${msg.sender.name}: ${msg.payload.content}`);
      spoken();
    });
    ws.on("user_joined", (msg) => {
      lines.push(`${msg.sender.name} joined the room`);
    });
    return ws;
  };
  const other = here.client("9").room("general");
  await other.join();
  const ws = open("8");
  ws.connect();
  ws.joinRoom("general");
  ws.sendMessage("general", "Hello everyone!");
  await until(() => other.messages.length === 1, other);
  await other.send("Hello!");
  await first;
  assert.deepEqual([contents(other), lines], [["Hello everyone!", "Hello!"], ["Name of 9: Hello!"]]);
  ws.disconnect();
  await until(() => other.people.length === 1, other);
});
