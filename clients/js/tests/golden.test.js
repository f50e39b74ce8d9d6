// The cases of crates/protocol/tests/golden, against what the client reads and writes.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { decode, encode } from "../src/codec.js";
import { world } from "./world/client.js";
import { settled } from "./world/clock.js";

const GOLDEN = new URL("../../../crates/protocol/tests/golden/rooms/", import.meta.url);

function cases(side) {
  const names = readdirSync(new URL(`${side}/`, GOLDEN)).filter((name) => name.endsWith(".json"));
  assert.ok(names.length > 20, `${side}: ${names.length} cases`);
  return names.map((name) => [name, JSON.parse(readFileSync(new URL(`${side}/${name}`, GOLDEN), "utf8"))]);
}

/** A member of the case's room that has seen nothing, and waits for the answer to every id of the cases. */
async function member(room) {
  const here = world();
  const socket = await here.open();
  here.client.room(room).join();
  const { id } = socket.of("join_room")[0];
  socket.deliver({ type: "room_info", id, room, payload: { room_id: room, users: [], count: 0 }, position: { epoch: "1a2b3c4d5", offset: 0 } });
  await settled();
  return { ...here, socket, room: here.client.room(room) };
}

test("every text of a server is read, and heard without harm", async () => {
  for (const [name, { text }] of cases("server")) {
    const frame = decode(text);
    assert.deepEqual(frame, JSON.parse(text), name);
    const { client, socket } = await member(frame.room ?? "general");
    const heard = [];
    client.on("frame", (one) => heard.push(one));
    socket.deliver(text);
    assert.deepEqual(heard, [frame], name);
  }
});

test("a record is a message of the room, with all that it says", async () => {
  let count = 0;
  for (const [name, { item, text }] of cases("server")) {
    if (item.record?.shown.kind !== "new_message") continue;
    const frame = JSON.parse(text);
    const { room, socket } = await member(frame.room);
    socket.deliver(text);
    const { type, room: _, ...message } = frame;
    assert.deepEqual(JSON.parse(JSON.stringify(room.messages)), [message], name);
    assert.deepEqual(room.position, item.record.position, name);
    count += 1;
  }
  assert.ok(count >= 8, `${count} records`);
});

test("a view takes the place of what was there", async () => {
  for (const name of ["gap", "reset", "reset_empty"]) {
    const { text } = Object.fromEntries(cases("server"))[`${name}.json`];
    const { payload, room: named } = JSON.parse(text);
    const { room, socket } = await member(named);
    socket.deliver({ type: "new_message", room: named, id: "old", payload: { content: "old" }, position: { epoch: "1a2b3c4d5", offset: 3 } });
    socket.deliver(text);
    assert.deepEqual(room.messages.map(({ id }) => id), payload.view.messages.map(({ id }) => id), name);
    assert.deepEqual(room.position, payload.upto, name);
  }
});

test("answers find their request, refusals say their code", async () => {
  let count = 0;
  for (const [name, { text }] of cases("server")) {
    const frame = JSON.parse(text);
    if (!frame.id || !["ack", "error"].includes(frame.type)) continue;
    const { client, socket } = await member(frame.room ?? "general");
    const answer = client.act(frame.room ?? "general", "some_word").then((done) => ({ done }), (error) => ({ error }));
    const sent = socket.of("some_word")[0];
    socket.deliver({ ...frame, id: sent.id });
    const passes = ["BUSY", "RATE_LIMIT", "UNCONFIRMED", "NOT_IN_ROOM"].includes(frame.payload?.code);
    const outcome = await Promise.race([answer, settled().then(() => null)]);
    if (passes) assert.equal(outcome, null, name);
    else if (frame.type === "ack") assert.deepEqual([outcome.done.position, outcome.done.payload], [frame.position, frame.payload], name);
    else assert.deepEqual([outcome.error.code, outcome.error.message, outcome.error.ref], [frame.payload.code, frame.payload.message, frame.payload.ref], name);
    count += 1;
  }
  assert.ok(count >= 15, `${count} answers`);
});

test("presence and typing are what the frame says", async () => {
  const server = Object.fromEntries(cases("server"));
  const { room, socket } = await member("general");
  socket.deliver(server["online_users.json"].text);
  assert.deepEqual([room.people.map(({ id }) => id), room.count], [["7", "8"], 2]);
  socket.deliver(server["online_users_count.json"].text);
  assert.deepEqual([room.people.length, room.count], [2, 4711]);
  socket.deliver(server["user_typing.json"].text);
  assert.deepEqual(room.typing, [{ id: "8", name: "Bo" }]);
  socket.deliver(server["user_typing_stopped.json"].text);
  assert.deepEqual(room.typing, []);
});

test("what a server understands, the codec can write", () => {
  let count = 0;
  for (const [name, { text, asked }] of cases("client")) {
    if (!asked) continue;
    const frame = JSON.parse(text);
    const written = JSON.parse(encode(frame));
    for (const field of ["type", "room", "id", "payload"]) assert.deepEqual(written[field], frame[field], `${name}: ${field}`);
    count += 1;
  }
  assert.ok(count >= 30, `${count} cases`);
});

test("what the client asks is what the cases ask", async () => {
  const client = Object.fromEntries(cases("client").map(([name, { text, asked }]) => [name, asked && JSON.parse(text)]));
  const plain = ({ id, ...frame }) => frame;
  const { client: ours, room, socket } = await member("general");
  const asked = (type) => plain(socket.of(type).at(-1));
  room.send("Hello everyone!");
  assert.deepEqual(asked("send_message"), plain(client["send_message.json"]));
  socket.deliver({ type: "ack", id: socket.of("send_message")[0].id, room: "general", position: { epoch: "1a2b3c4d5", offset: 17 } });
  const { content, reply_to, ...free } = client["send_message_reply_to.json"].payload;
  room.send({ content, ...free }, { replyTo: reply_to });
  assert.deepEqual(asked("send_message"), plain(client["send_message_reply_to.json"]));
  room.startTyping();
  assert.deepEqual(asked("typing"), plain(client["typing.json"]));
  room.stopTyping();
  assert.deepEqual(asked("stop_typing"), plain(client["stop_typing.json"]));
  room.online();
  assert.deepEqual(asked("online_users").room, client["online_users.json"].room);
  const { before, limit } = client["get_history_before.json"].payload;
  room.history({ before, limit });
  assert.deepEqual(asked("get_history").payload, client["get_history_before.json"].payload);
  room.leave();
  assert.deepEqual(asked("leave_room"), plain(client["leave_room_id.json"]));
  room.join();
  assert.deepEqual(asked("join_room").payload, client["join_room_since.json"].payload);
  ours.disconnect();
});
