// Rooms of support, as far as the client has a part in what they say: notes between the messages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ack, at, said, world } from "./world/client.js";
import { settled } from "./world/clock.js";

const ROOM = "support:6f1c0000-0000-4000-8000-000000000000";

async function desk() {
  const here = world();
  await here.open();
  const room = await here.join(ROOM);
  return { ...here, room };
}

const note = (offset, text) => ({ ...said(offset, ""), type: "note_added", room: ROOM, payload: { note: text } });
const message = (offset, text) => ({ ...said(offset, ""), room: ROOM, payload: { message: text, sender_type: "customer" } });
const texts = (room) => room.messages.map(({ payload }) => payload.note ?? payload.message);

test("notes stand between the messages, live, one's own and in a view", async () => {
  const { room, net } = await desk();
  net.last.deliver(message(1, "Hello"));
  net.last.deliver(note(2, "Knows us"));
  const noted = room.act("add_note", { note: "Mine" });
  await settled();
  const { id } = net.last.of("add_note")[0];
  net.last.deliver(ack(id, 3, ROOM));
  await noted;
  net.last.deliver(message(4, "Are you there?"));
  assert.deepEqual(texts(room), ["Hello", "Knows us", "Mine", "Are you there?"]);
  assert.equal(room.unread, 2, "a note is nobody's message");
  const view = { messages: [message(7, "a"), note(8, "b")] };
  net.last.deliver({ type: "gap", room: ROOM, payload: { room_id: ROOM, view, upto: at(8) } });
  assert.deepEqual(texts(room), ["a", "b"]);
});
