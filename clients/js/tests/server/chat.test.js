// The words of a chat room and of an inbox, with the real server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { contents } from "../world/client.js";
import { server, until } from "./server.js";

async function two(t, ...more) {
  const here = await server(t);
  const clients = ["7", "8", ...more].map((user) => here.client(user));
  const rooms = clients.map((client) => client.room("general"));
  await Promise.all(rooms.map((room) => room.join()));
  return { here, clients, rooms };
}

const payloads = (room) => room.messages.map(({ payload }) => payload);

test("edits, reactions and deletes are the same for the author, the others, who comes later and who comes back", async (t) => {
  const { here, clients, rooms } = await two(t);
  const [ana, bo] = rooms;
  const [{ message_id: first }, { message_id: second }] = await Promise.all([ana.send("first"), ana.send("second")]);
  await until(() => bo.messages.length === 2, bo);
  clients[1].cut();
  await ana.edit(first, "first, edited");
  await bo.react(first, "👍");
  await ana.react(first, "👍");
  await bo.react(first, "🥁");
  await bo.unreact(first, "🥁");
  await ana.remove(second);
  await until(() => bo.position?.offset === ana.position.offset && clients[1].state === "open", ana, bo, clients[1]);
  const [edited, deleted] = payloads(ana);
  assert.equal(edited.content, "first, edited");
  assert.ok(Date.parse(edited.changes.edited_at) > 0);
  assert.deepEqual(edited.changes.reactions.map(({ reaction, users }) => [reaction, [...users].sort()]), [["👍", ["7", "8"]]]);
  assert.deepEqual(deleted, { content: "", changes: { deleted: true } });
  assert.deepEqual(payloads(bo), payloads(ana));
  const late = here.client("9").room("general");
  await late.loadOlder();
  assert.deepEqual(payloads(late), payloads(ana));
});

test("what must not be is refused with its code", async (t) => {
  const { rooms: [ana, bo] } = await two(t);
  const { message_id } = await ana.send("mine");
  await assert.rejects(bo.edit(message_id, "yours"), { code: "FORBIDDEN" });
  await assert.rejects(ana.edit(message_id.replace(/\d+$/, "999999"), "x"), { code: "NOT_FOUND" });
  await assert.rejects(ana.react(message_id, "r".repeat(33)), { code: "INVALID_PAYLOAD" });
  await assert.rejects(ana.send({ content: "x", changes: { deleted: true } }), { code: "INVALID_PAYLOAD" });
  await assert.rejects(ana.act("no_such_word"), { code: "UNKNOWN_TYPE" });
  assert.deepEqual(contents(bo), ["mine"]);
});

test("a room of one's own: created, changed, members with roles, and an end", async (t) => {
  const here = await server(t);
  const [ana, bo] = [here.client("7"), here.client("8")].map((client) => client.room("club"));
  await ana.create({ title: "The club", topic: "drums", access: "private", members: [{ id: "8", name: "Bo" }] });
  await assert.rejects(ana.create({}), { code: "EXISTS" });
  const stranger = here.client("9").room("club");
  await assert.rejects(stranger.join(), { code: "FORBIDDEN" });
  await Promise.all([ana.join(), bo.join()]);
  assert.deepEqual([ana.about.title, ana.about.role, bo.about.role, ana.about.access], ["The club", "owner", "member", "private"]);
  await ana.change({ title: "The drum club" });
  await until(() => bo.about.title === "The drum club", bo);
  assert.equal((await bo.getAbout()).title, "The drum club");
  await ana.setRole("8", "moderator");
  await until(() => bo.about.role === "moderator", bo);
  await ana.addMember("9", { name: "Cy" });
  const { members, count } = await bo.getMembers();
  assert.deepEqual([members.map(({ user_id, role }) => [user_id, role]).sort(), count], [[["7", "owner"], ["8", "moderator"], ["9", "member"]], 3]);
  await stranger.join();
  await ana.removeMember("9");
  await ana.destroy();
  await until(() => ana.state === "refused" && bo.state === "refused", ana, bo);
  assert.equal(bo.error.message, "this room was deleted");
});

test("moderation: mute, kick, ban, and the way back", async (t) => {
  const here = await server(t);
  const [ana, bo] = [here.client("7"), here.client("8")].map((client) => client.room("club"));
  await ana.create({ members: ["8"] });
  await Promise.all([ana.join(), bo.join()]);
  await ana.mute("8", { seconds: 600, reason: "calm" });
  await until(() => bo.about.muted_until !== undefined, bo);
  await assert.rejects(bo.send("hush"), { code: "MUTED" });
  await ana.unmute("8");
  await until(() => bo.about.muted_until === undefined, bo);
  await bo.retry(bo.pending[0].id);
  await until(() => ana.messages.length === 1, ana);
  await ana.kick("8", "out");
  await until(() => bo.state === "refused", bo);
  await assert.rejects(bo.join(), (error) => ["FORBIDDEN", "BANNED"].includes(error.code));
  await ana.ban("8");
  await assert.rejects(bo.join(), { code: "BANNED" });
  assert.deepEqual((await ana.getMembers()).banned, ["8"]);
  await ana.unban("8");
  assert.deepEqual((await ana.getMembers()).banned ?? [], []);
});

test("a direct room is there for its two", async (t) => {
  const here = await server(t);
  const [first, second, third] = ["7", "user 8", "9"].map((user) => here.client(user));
  const [ana, bo] = [first.direct("user 8"), second.direct("7")];
  assert.deepEqual([ana.name, bo.name], ["direct:7:user_208", "direct:7:user_208"]);
  await Promise.all([ana.join(), bo.join()]);
  await ana.send("between us");
  await until(() => bo.messages.length === 1, bo);
  await assert.rejects(third.room(ana.name).join(), { code: "FORBIDDEN" });
});

test("the inbox knows the rooms one belongs to, and the direct ones with messages", async (t) => {
  const here = await server(t);
  const [first, second] = [here.client("7"), here.client("8")];
  const club = first.room("club");
  await club.create({ title: "The club", members: ["8"] });
  const direct = first.direct("8");
  await direct.join();
  await direct.send("between us");
  await second.inbox.open();
  await until(() => second.inbox.channels.length === 2, second.inbox);
  const channels = await second.inbox.getChannels();
  assert.deepEqual(channels.map(({ room_id }) => room_id).sort(), ["chat:club", `chat:${direct.name}`]);
  assert.equal(second.room(channels.find(({ room_id }) => room_id.includes("direct")).room_id), second.direct("7"));
});

test("what was read on one device is read on the other, also by who comes later", async (t) => {
  const here = await server(t);
  const [phone, desk, other] = [here.client("7"), here.client("7"), here.client("8")];
  await Promise.all([phone.inbox.open(), desk.inbox.open()]);
  const [onPhone, onDesk, bo] = [phone, desk, other].map((client) => client.room("general"));
  await Promise.all([onPhone.join(), onDesk.join(), bo.join()]);
  await bo.send("one");
  await bo.send("two");
  await until(() => onPhone.unread === 2 && onDesk.unread === 2, onPhone, onDesk);
  await onPhone.markRead();
  await until(() => onDesk.unread === 0, onDesk, desk.inbox);
  await bo.send("three");
  await until(() => onDesk.unread === 1, onDesk);
  const late = here.client("7");
  await late.inbox.open();
  const [mark] = late.inbox.marks;
  assert.deepEqual([mark.room_id, mark.upto], ["chat:general", onPhone.readUpto]);
  const room = late.join("general");
  await room.join();
  await until(() => room.state === "open", room);
  assert.equal(room.unread, 1);
});
