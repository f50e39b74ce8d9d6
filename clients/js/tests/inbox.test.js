// The inbox: marks, channels and notifications of a user, over all devices.

import assert from "node:assert/strict";
import { test } from "node:test";

import { directRoom } from "../src/index.js";
import { ack, at, happened, info, refused, said, world } from "./world/client.js";
import { settled } from "./world/clock.js";

async function opened(about) {
  const here = world();
  const socket = await here.open();
  const opening = here.client.inbox.open();
  socket.deliver(info(socket.of("join_room")[0].id, "user:7", at(0), about));
  await opening;
  return { ...here, socket, inbox: here.client.inbox };
}

test("a mark on another device takes the unread away here", async () => {
  const { client, socket, join, inbox } = await opened({ marks: [], channels: [] });
  const room = await join("general", 4);
  socket.deliver(said(5, "one"));
  socket.deliver(said(6, "two"));
  assert.equal(room.unread, 2);
  socket.deliver(happened("read_marked", 1, { room_id: "chat:general", upto: at(5) }, { room: "user:7" }));
  assert.deepEqual([room.unread, room.readUpto, inbox.marks], [1, at(5), [{ room_id: "chat:general", upto: at(5) }]]);
  socket.deliver(happened("read_marked", 2, { room_id: "chat:general", upto: at(3) }, { room: "user:7" }));
  assert.deepEqual(room.readUpto, at(5));
  assert.ok(client);
});

test("who joins says up to where this user has read, as the inbox knows it", async () => {
  const { client, socket } = await opened({ marks: [{ room_id: "chat:general", upto: at(9) }], channels: [] });
  client.join("general");
  assert.deepEqual(socket.of("join_room")[1].payload, { room_id: "general", read_upto: at(9) });
});

test("while a mark is on its way only the newest of the next ones is kept", async () => {
  const { socket, join } = await opened({ marks: [], channels: [] });
  const room = await join("general", 0);
  for (let offset = 1; offset <= 5; offset += 1) {
    socket.deliver(said(offset, "x"));
    room.markRead();
  }
  assert.deepEqual(socket.of("mark_read").map(({ payload }) => payload.upto.offset), [1]);
  socket.deliver(ack(socket.of("mark_read")[0].id, 1, "user:7"));
  await settled();
  assert.deepEqual(socket.of("mark_read").map(({ payload }) => payload.upto.offset), [1, 5]);
});

test("channels come with the view, by asking, and by records", async () => {
  const general = { room_id: "chat:general", title: "General", role: "member", access: "open" };
  const club = { room_id: "chat:club", title: "Club", role: "owner", access: "private" };
  const { socket, inbox } = await opened({ marks: [], channels: [general] });
  assert.deepEqual(inbox.channels, [general]);
  socket.deliver(happened("channel_changed", 1, club, { room: "user:7" }));
  socket.deliver(happened("channel_removed", 2, { room_id: "chat:general" }, { room: "user:7" }));
  assert.deepEqual(inbox.channels, [club]);
  const asked = inbox.getChannels();
  socket.deliver({ type: "ack", id: socket.of("get_channels")[0].id, room: "user:7", payload: { channels: [general, { ...club, read_upto: at(3) }] } });
  assert.equal((await asked).length, 2);
  assert.deepEqual(inbox.marks, [{ room_id: "chat:club", upto: at(3) }]);
  const view = { marks: [{ room_id: "chat:x", upto: at(1) }], channels: [] };
  socket.deliver({ type: "reset", room: "user:7", payload: { room_id: "user:7", view, upto: at(0, "e2") } });
  assert.deepEqual([inbox.channels, inbox.marks.length], [[], 2]);
});

test("notifications come once, also after a reconnect, and the newest hundred are kept", async () => {
  const { inbox, reopen, net } = await opened();
  const heard = [];
  inbox.on("notification", ({ payload }) => heard.push(payload.text));
  const tell = (offset) => net.last.deliver({ ...happened("notification", offset, { text: `n${offset}` }, { room: "user:7" }), sender: undefined });
  for (let offset = 1; offset <= 120; offset += 1) tell(offset);
  net.last.end(1006);
  const socket = await reopen();
  assert.deepEqual(socket.of("join_room")[0].payload.since, at(120));
  socket.deliver(info(socket.of("join_room")[0].id, "user:7"));
  tell(120);
  tell(121);
  assert.equal(heard.length, 121);
  assert.deepEqual([inbox.notifications.length, inbox.notifications.at(-1).payload.text], [100, "n121"]);
});

test("a server without marks does no harm", async () => {
  const { socket, join } = await opened();
  const room = await join("general", 0);
  socket.deliver(said(1, "x"));
  const marked = room.markRead();
  socket.deliver(refused("UNKNOWN_TYPE", { id: socket.of("mark_read")[0].id, room: "user:7" }));
  await assert.rejects(marked, { code: "UNKNOWN_TYPE" });
  assert.equal(room.unread, 0);
});

test("whose inbox it is must be known", async () => {
  const { client } = world({ token: "opaque" });
  assert.throws(() => client.inbox.open(), { code: "NO_USER" });
  assert.throws(() => client.direct("8"), { code: "NO_USER" });
});

test("the name of a direct room is the same from both sides, whatever the ids", () => {
  for (const [a, b, name] of [
    ["7", "8", "direct:7:8"],
    ["8", "7", "direct:7:8"],
    ["10", "9", "direct:10:9"],
    ["a_b", "a:b", "direct:a_3Ab:a_5Fb"],
    ["é", "z", "direct:z:_C3_A9"],
    ["a", "ab", "direct:a:ab"],
  ]) {
    assert.deepEqual([directRoom(a, b), directRoom(b, a)], [name, name]);
  }
});
