// What was said without an answer: it is sent again under the same id, in order, until it is stored or refused.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ack, at, contents, info, refused, said, world } from "./world/client.js";
import { settled } from "./world/clock.js";

async function member(options = {}) {
  const here = world(options);
  await here.open();
  const room = await here.join();
  return { ...here, room, messages: () => here.net.last.of("send_message") };
}

test("a message is shown as sending, then as stored, and never twice", async () => {
  const { room, net, messages } = await member();
  const seen = [];
  const both = () => seen.push([room.messages.length, room.pending.map(({ state }) => state).join()]);
  room.on("messages", both);
  room.on("pending", both);
  const sent = room.send("hello");
  const [{ id, payload }] = messages();
  assert.deepEqual(payload, { content: "hello" });
  net.last.deliver(ack(id, 1));
  assert.deepEqual(await sent, { id, message_id: "e1-1", position: at(1), timestamp: "2026-01-01T10:00:00.000Z", payload: { message_id: "e1-1" } });
  const [message] = room.messages;
  assert.deepEqual([message.id, message.clientId, message.sender, message.payload], ["e1-1", id, { id: "7", name: "Ana" }, { content: "hello" }]);
  assert.deepEqual(seen, [[0, "sending"], [0, ""], [1, ""]]);
});

test("what passes is sent again with the same id, not before the server wants it", async () => {
  for (const [code, named] of [["BUSY", 500], ["RATE_LIMIT", 700], ["UNCONFIRMED", undefined]]) {
    const { room, net, clock, messages } = await member();
    const sent = room.send("hello");
    net.last.deliver(refused(code, { id: messages()[0].id, retry_after_ms: named }));
    assert.deepEqual(room.pending.map(({ state }) => state), ["waiting"]);
    await clock.pass((named ?? 1000) - 1);
    assert.equal(messages().length, 1, code);
    await clock.pass(251);
    assert.deepEqual(messages().map(({ id }) => id), [messages()[0].id, messages()[0].id], code);
    net.last.deliver(ack(messages()[0].id, 1));
    assert.equal((await sent).message_id, "e1-1");
  }
});

test("what does not pass is refused at once, waits for a person, and can be sent again", async () => {
  const { room, net, messages } = await member();
  const sent = room.send("hello");
  net.last.deliver(refused("MUTED", { id: messages()[0].id, retry_after_ms: 9000, message: "you are muted for 9 s" }));
  await assert.rejects(sent, { code: "MUTED", retryAfterMs: 9000, message: "you are muted for 9 s", room: "general" });
  const [{ id, state, error }] = room.pending;
  assert.deepEqual([state, error.code], ["failed", "MUTED"]);
  const again = room.retry(id);
  assert.equal(messages()[1].id, id);
  net.last.deliver(ack(id, 1));
  await again;
  assert.deepEqual([room.pending, contents(room)], [[], ["hello"]]);
  await assert.rejects(room.retry(id), { code: "DISCARDED" });
});

test("a failed one that cannot be tried again, because too much waits, stays and says why", async () => {
  const { room, net, join, messages } = await member({ queueMax: 1 });
  const other = await join("random");
  const sent = room.send("hello");
  const [{ id }] = messages();
  net.last.deliver(refused("MUTED", { id }));
  await assert.rejects(sent, { code: "MUTED" });
  other.send("in the way");
  const states = [];
  room.on("pending", (list) => states.push(list.map(({ state, error }) => `${state} ${error?.code}`).join()));
  const [full, fullToo] = [room.retry(id), room.retry(id)];
  other.discard(other.pending[0].id);
  const again = room.retry(id);
  assert.deepEqual(states, ["sending undefined"]);
  await assert.rejects(full, { code: "QUEUE_FULL" });
  await assert.rejects(fullToo, { code: "QUEUE_FULL" });
  assert.deepEqual(room.pending.map(({ state, payload }) => [state, payload.content]), [["sending", "hello"]]);
  net.last.deliver(refused("MUTED", { id }));
  await assert.rejects(again, { code: "MUTED" });
  other.send("in the way");
  await assert.rejects(room.retry(id), { code: "QUEUE_FULL" });
  assert.deepEqual(room.pending.map(({ payload }) => payload.content), ["hello"]);
  assert.deepEqual(states, ["sending undefined", "failed MUTED", "failed QUEUE_FULL"]);
});

test("it is not tried for ever", async () => {
  const { room, net, clock, messages } = await member();
  const sent = room.send("hello");
  net.last.answer = ({ type, id }) => type === "online_users" && queueMicrotask(() => net.last.deliver(ack(id)));
  for (let i = 1; i <= 10; i += 1) {
    assert.equal(messages().length, i);
    net.last.deliver(refused("BUSY", { id: messages()[0].id }));
    for (let waited = 0; waited < 40 && messages().length === i && room.pending[0].state === "waiting"; waited += 1) await clock.pass(1_000);
  }
  await assert.rejects(sent, { code: "BUSY" });
  assert.equal(messages().length, 10);
});

test("after a reconnect the room is joined first, then all that waits goes in the order of saying", async () => {
  const { room, net, messages, reopen } = await member();
  const texts = ["a", "b", "c"];
  const sent = texts.map((text) => room.send(text));
  assert.equal(messages().length, 1);
  const first = messages()[0].id;
  net.last.end(1006);
  sent.push(room.send("d"));
  assert.deepEqual(room.pending.map(({ state }) => state), Array(4).fill("waiting"));
  const socket = await reopen();
  assert.deepEqual(socket.sent.map(({ type }) => type), ["join_room"]);
  socket.deliver(info(socket.of("join_room")[0].id, "general"));
  socket.deliver({ type: "resumed", room: "general", payload: { room_id: "general", upto: at(1) } });
  // It was stored before the connection ended.
  socket.deliver(said(1, "a", { sender: { id: "7", name: "Ana" } }));
  assert.equal(messages()[0].id, first);
  for (let offset = 1; offset <= 4; offset += 1) {
    assert.equal(messages().length, offset);
    socket.deliver(ack(messages()[offset - 1].id, offset));
  }
  assert.deepEqual((await Promise.all(sent)).map(({ position }) => position.offset), [1, 2, 3, 4]);
  assert.deepEqual([contents(room), room.pending], [["a", "b", "c", "d"], []]);
});

test("one message that waits holds back the next of its room, and nobody else's", async () => {
  const { client, room, net, clock, join, messages } = await member();
  const other = await join("random");
  room.send("a");
  room.send("b");
  net.last.deliver(refused("BUSY", { id: messages()[0].id, retry_after_ms: 5000 }));
  other.send("x");
  room.history();
  assert.deepEqual(messages().map(({ payload }) => payload.content), ["a", "x"]);
  assert.equal(net.last.of("get_history").length, 1);
  await clock.pass(6_000);
  net.last.deliver(ack(messages()[0].id, 1));
  assert.deepEqual(messages().map(({ payload }) => payload.content), ["a", "x", "a", "b"]);
  assert.ok(client.waiting >= 2);
});

test("NOT_IN_ROOM: in again from where we are, then the same once more", async () => {
  const { room, net, messages } = await member();
  const sent = room.send("hello");
  net.last.deliver(refused("NOT_IN_ROOM", { id: messages()[0].id }));
  assert.equal(room.state, "joining");
  const [, again] = net.last.of("join_room");
  assert.deepEqual(again.payload.since, at(0));
  assert.equal(messages().length, 1);
  net.last.deliver(info(again.id, "general"));
  assert.equal(messages()[1].id, messages()[0].id);
  net.last.deliver(ack(messages()[0].id, 1));
  await sent;
});

test("the queue is bounded: what is beyond it is refused at once, and what waits stays", async () => {
  const { client, open, join, clock, net } = world({ queueMax: 500 });
  const room = client.join("general");
  const sent = Array.from({ length: 500 }, (_, i) => room.send(`m${i}`));
  await assert.rejects(room.send("one more"), { code: "QUEUE_FULL" });
  assert.deepEqual([room.pending.length, client.waiting], [500, 500]);
  const socket = await open();
  let offset = 0;
  socket.answer = (frame) => {
    if (frame.type === "join_room") queueMicrotask(() => socket.deliver(info(frame.id, "general", at(0))));
    if (frame.type === "send_message") queueMicrotask(() => socket.deliver(ack(frame.id, ++offset)));
  };
  socket.deliver(info(socket.of("join_room")[0].id, "general", at(0)));
  await clock.pass(1_000);
  // The server would allow bursts of 40 and 20 a second.
  assert.ok(socket.sent.length <= 50, `${socket.sent.length} frames in a second`);
  await clock.pass(60_000);
  await Promise.all(sent);
  assert.deepEqual(socket.of("send_message").map(({ payload }) => payload.content), Array.from({ length: 500 }, (_, i) => `m${i}`));
  assert.ok(join && net);
});

test("what no server would take is refused here, and costs no connection", async () => {
  const { room, messages, client } = await member();
  await assert.rejects(room.send("é".repeat(2100)), { code: "TOO_LARGE" });
  assert.deepEqual([messages(), room.pending, client.state], [[], [], "open"]);
  room.send("e".repeat(3900));
  assert.equal(messages().length, 1);
});

test("RATE_LIMIT holds back everything, typing too", async () => {
  const { room, net, clock, messages, join } = await member();
  const other = await join("random");
  room.send("a");
  net.last.deliver(refused("RATE_LIMIT", { id: messages()[0].id, retry_after_ms: 2000 }));
  other.send("b");
  other.startTyping();
  await clock.pass(1_999);
  assert.deepEqual([messages().length, net.last.of("typing").length], [1, 0]);
  await clock.pass(300);
  assert.deepEqual(messages().map(({ payload }) => payload.content).sort(), ["a", "a", "b"]);
});

test("given up while it waits, it is never sent", async () => {
  const { room, net, reopen } = await member();
  net.last.end(1006);
  const sent = room.send("never");
  room.discard(room.pending[0].id);
  await assert.rejects(sent, { code: "DISCARDED" });
  const socket = await reopen();
  socket.deliver(info(socket.of("join_room")[0].id, "general"));
  assert.deepEqual([socket.of("send_message"), room.pending], [[], []]);
});

test("given up on its way and stored all the same, it is shown as everybody else sees it", async () => {
  const { room, net, messages, reopen } = await member();
  const given = room.send("given up");
  room.discard(room.pending[0].id);
  await assert.rejects(given, { code: "DISCARDED" });
  const kept = room.send("kept");
  const mine = { sender: { id: "7", name: "Ana" } };
  net.last.deliver(ack(messages()[0].id, 1));
  net.last.deliver(ack(messages()[1].id, 2));
  await kept;
  assert.deepEqual([room.position, room.pending], [at(0), []]);
  const joins = net.last.of("join_room");
  assert.deepEqual(joins.map(({ payload }) => payload.since), [undefined, at(0)]);
  net.last.deliver(info(joins[1].id, "general"));
  net.last.deliver({ type: "resumed", room: "general", payload: { room_id: "general", upto: at(2) } });
  net.last.deliver(said(1, "given up", mine));
  net.last.deliver(said(2, "kept", mine));
  assert.deepEqual([contents(room), room.state, room.position], [["given up", "kept"], "open", at(2)]);
  // What is known is not asked for once more.
  net.last.deliver(ack(messages()[0].id, 1));
  assert.equal(net.last.of("join_room").length, 2);
  net.last.end(1006);
  assert.deepEqual((await reopen()).of("join_room")[0].payload.since, at(2));
});

test("a room that refuses us answers what waited for it", async () => {
  const { client, open } = world();
  const room = client.join("closed");
  const sent = room.send("hello");
  const socket = await open();
  socket.deliver(refused("FORBIDDEN", { id: socket.of("join_room")[0].id, room: "closed" }));
  const [{ id }] = socket.of("send_message");
  socket.deliver(refused("NOT_IN_ROOM", { id, room: "closed" }));
  await assert.rejects(sent, { code: "NOT_IN_ROOM" });
});

test("who disconnects with something unanswered leaves nothing that keeps a program from its end", async () => {
  const { client, room, clock, messages } = await member();
  const sent = room.send("hello");
  assert.equal(messages().length, 1);
  client.disconnect();
  assert.deepEqual([clock.next, room.pending.map(({ state }) => state)], [null, ["waiting"]]);
  await clock.pass(60_000);
  room.discard(room.pending[0].id);
  await assert.rejects(sent, { code: "DISCARDED" });
});

test("an answer that never comes means that the server has lost us", async () => {
  const { room, net, clock, messages } = await member();
  room.send("hello");
  for (let i = 0; i < 7; i += 1) {
    await clock.pass(5_000);
    net.sockets[0].deliver(said(i + 1, "others are heard"));
  }
  await settled();
  assert.ok(net.sockets.length >= 2);
  assert.equal(messages().length, 0);
});

test("requests need no room to be joined; their answers are theirs", async () => {
  const { client, open } = world();
  const socket = await open();
  const room = client.room("chat:other");
  const members = room.getMembers();
  const about = room.getAbout();
  const online = room.online();
  const created = room.create({ title: "Other" });
  const payload = { members: [{ user_id: "7", name: "Ana", role: "owner" }], count: 1 };
  socket.deliver({ type: "ack", id: socket.of("get_members")[0].id, room: "chat:other", payload });
  socket.deliver({ type: "ack", id: socket.of("get_room")[0].id, room: "chat:other", payload: { title: "Other" } });
  socket.deliver({ type: "online_users", id: socket.of("online_users")[0].id, room: "chat:other", payload: { room_id: "chat:other", users: [], count: 4 } });
  socket.deliver(refused("EXISTS", { id: socket.of("create_room")[0].id, room: "chat:other" }));
  assert.deepEqual([await members, await about, await online], [payload, { title: "Other" }, { users: [], count: 4 }]);
  await assert.rejects(created, { code: "EXISTS" });
});
