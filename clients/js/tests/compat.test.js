// The class of the chat tutorial: the same names do what they did, and what they failed to do.

import assert from "node:assert/strict";
import { test } from "node:test";

import { WebSocketClient } from "../src/index.js";
import { at, info, refused, said, token } from "./world/client.js";
import { TestClock, settled } from "./world/clock.js";
import { network } from "./world/socket.js";

function made() {
  const net = network();
  const clock = new TestClock();
  const ws = new WebSocketClient("ws://localhost:8080/ws", token(), { WebSocket: net.WebSocket, clock });
  const heard = [];
  for (const type of ["room_info", "new_message", "user_joined", "user_left", "ack", "error", "gap"]) ws.on(type, (msg) => heard.push(msg));
  return { net, clock, ws, heard };
}

test("its usage works: words before the socket is open wait for it", async () => {
  const { net, ws, heard } = made();
  const lines = [];
  ws.on("new_message", (msg) => lines.push(`${msg.sender.name}: ${msg.payload.content}`));
  ws.on("user_joined", (msg) => lines.push(`${msg.sender.name} joined the room`));
  ws.connect();
  ws.joinRoom("general");
  ws.sendMessage("general", "Hello everyone!");
  await settled();
  const socket = net.last;
  socket.accept();
  assert.deepEqual(socket.sent.map(({ type }) => type), ["join_room"]);
  socket.deliver(info(socket.sent[0].id, "general", at(0)));
  const [sent] = socket.of("send_message");
  assert.deepEqual([sent.room, sent.payload], ["general", { content: "Hello everyone!" }]);
  socket.deliver({ type: "ack", id: sent.id, room: "general", position: at(1), payload: { message_id: "m" } });
  socket.deliver({ type: "user_joined", room: "general", payload: { id: "8", name: "Bo" }, sender: { id: "8", name: "Bo" } });
  socket.deliver(said(2, "Hi"));
  socket.deliver(said(2, "Hi"));
  assert.deepEqual(lines, ["Bo joined the room", "Bo: Hi"]);
  assert.deepEqual(heard.map(({ type }) => type), ["room_info", "ack"]);
});

test("after a reconnect its rooms are joined again, with what was missed", async () => {
  const { net, clock, ws, heard } = made();
  ws.connect();
  ws.joinRoom("general");
  await settled();
  net.last.accept();
  net.last.deliver(info(net.last.sent[0].id, "general", at(3)));
  net.last.end(1006);
  assert.equal(ws.reconnectAttempts, 0);
  await clock.pass(1_000);
  assert.equal(ws.reconnectAttempts, 1);
  net.last.accept();
  assert.deepEqual(net.last.sent[0].payload, { room_id: "general", since: at(3) });
  net.last.deliver(info(net.last.sent[0].id, "general"));
  net.last.deliver(said(4, "missed"));
  assert.deepEqual(heard.at(-1).payload, { content: "missed" });
  ws.leaveRoom("general");
  assert.deepEqual(net.last.sent.at(-1).payload, { room_id: "general" });
  ws.disconnect();
  await clock.pass(100_000);
  assert.equal(net.sockets.length, 2);
});

test("it gives up after five tries, as it always did; the number is a field", async () => {
  for (const [max, sockets] of [[undefined, 6], [2, 3]]) {
    const { net, clock, ws } = made();
    if (max !== undefined) ws.maxReconnectAttempts = max;
    ws.connect();
    await settled();
    for (let i = 0; i < 10; i += 1) {
      net.last.end(1006);
      await clock.pass(60_000);
    }
    assert.equal(net.sockets.length, sockets);
  }
});

test("any word goes as it is, early ones too; a room that was not joined is the server's to refuse", async () => {
  const { net, ws, heard } = made();
  ws.send("typing", { room_id: "general" });
  ws.send("send_message", { content: "outside" }, "general");
  ws.connect();
  await settled();
  net.last.accept();
  assert.deepEqual(net.last.sent.map(({ id, ...frame }) => frame), [
    { type: "typing", payload: { room_id: "general" } },
    { type: "send_message", room: "general", payload: { content: "outside" } },
  ]);
  assert.equal(new Set(net.last.sent.map(({ id }) => id)).size, 2);
  net.last.deliver(refused("NOT_IN_ROOM", { id: net.last.sent[1].id }));
  assert.equal(heard[0].payload.code, "NOT_IN_ROOM");
});
