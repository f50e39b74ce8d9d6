// A room as it is seen: what was missed, what has changed, who is here, what is unread.

import assert from "node:assert/strict";
import { test } from "node:test";

import { EPOCH, ack, at, contents, happened, info, refused, said, world } from "./world/client.js";
import { settled } from "./world/clock.js";
import { ModelRoom } from "./world/server.js";

async function member(offset = 0, options = {}, about = undefined) {
  const here = world(options);
  await here.open();
  const room = await here.join("general", offset, about);
  return { ...here, room, say: (...args) => here.net.last.deliver(said(...args)) };
}

test("who comes back says where it was, and gets what it missed once", async () => {
  const { room, say, net, reopen, client, states } = await member(40);
  say(41, "before");
  net.last.end(1006);
  assert.deepEqual([room.state, client.state], ["joining", "offline"]);
  const socket = await reopen();
  const { id, payload } = socket.of("join_room")[0];
  assert.deepEqual(payload.since, at(41));
  socket.deliver(info(id, "general"));
  assert.equal(client.state, "catching-up");
  socket.deliver({ type: "resumed", room: "general", payload: { room_id: "general", upto: at(43) } });
  for (const offset of [41, 42, 42, 43]) socket.deliver(said(offset, `m${offset}`));
  assert.deepEqual(contents(room), ["before", "m42", "m43"]);
  assert.deepEqual([room.state, client.state, room.position], ["open", "open", at(43)]);
  assert.deepEqual(states, ["connecting", "open", "offline", "connecting", "catching-up", "open"]);
});

test("having caught up shows also by something newer, by being there already, or by silence", async () => {
  for (const finish of ["newer", "there", "silence"]) {
    const { room, net, reopen, clock } = await member(40);
    net.last.end(1006);
    const socket = await reopen();
    socket.deliver(info(socket.of("join_room")[0].id, "general"));
    socket.deliver({ type: "resumed", room: "general", payload: { room_id: "general", upto: at(finish === "there" ? 40 : 42) } });
    if (finish === "newer") socket.deliver(said(45, "later"));
    if (finish === "silence") {
      assert.equal(room.state, "catching-up");
      await clock.pass(1_500);
    }
    assert.equal(room.state, "open", finish);
  }
});

test("gap and reset take the place of what is shown, whenever they come", async () => {
  const { room, say, net } = await member(0);
  const changes = [];
  room.on("messages", (change) => changes.push(change));
  say(1, "old");
  const view = { messages: [said(88, "a"), said(90, "b")] };
  net.last.deliver({ type: "gap", room: "general", payload: { room_id: "general", view, upto: at(90) } });
  assert.deepEqual([contents(room), room.position, room.more], [["a", "b"], at(90), true]);
  say(90, "again");
  say(91, "c");
  assert.deepEqual(contents(room), ["a", "b", "c"]);
  net.last.deliver({ type: "reset", room: "general", payload: { room_id: "general", view: { messages: [] }, upto: { epoch: "e2", offset: 0 } } });
  assert.deepEqual([contents(room), room.more], [[], false]);
  say(1, "anew", { epoch: "e2" });
  assert.deepEqual(contents(room), ["anew"]);
  assert.deepEqual(changes.map(({ kind, why }) => why ?? kind), ["added", "gap", "added", "reset", "added"]);
});

test("all rooms come back with one frame, a hundred each, and none larger than a server takes", async () => {
  const { net, client, reopen } = world();
  client.connect();
  await settled();
  net.last.accept();
  const names = Array.from({ length: 100 }, (_, i) => `r${i}`);
  for (const name of names) client.join(name);
  for (const { id, payload } of net.last.of("join_room")) net.last.deliver(info(id, payload.room_id, at(7)));
  assert.ok(names.every((name) => client.room(name).state === "open"));
  net.last.end(1006);
  const socket = await reopen();
  const frames = socket.sent.filter(({ type }) => type === "resume");
  assert.deepEqual(frames.flatMap(({ payload }) => payload.rooms.map(({ room_id }) => room_id)), names);
  assert.ok(frames.every(({ payload }) => payload.rooms.length <= 100));
  assert.ok(socket.texts.every((text) => Buffer.byteLength(text) <= 4096));
  assert.ok(frames.length <= 3, `${frames.length} frames`);
});

test("a resume that is refused as a whole is asked room by room; a room that is refused alone is that alone", async () => {
  const { client, open } = world();
  client.join("a");
  client.join("b");
  client.join("c");
  const socket = await open();
  const [{ id }] = socket.of("resume");
  socket.deliver(refused("INVALID_PAYLOAD", { id, room: undefined }));
  const joins = socket.of("join_room");
  assert.deepEqual(joins.map(({ payload }) => payload.room_id), ["a", "b", "c"]);
  socket.deliver(info(joins[0].id, "a", at(1)));
  socket.deliver(refused("FORBIDDEN", { id: joins[1].id, room: "b" }));
  socket.deliver(info(joins[2].id, "c", at(1)));
  assert.deepEqual(["a", "b", "c"].map((name) => client.room(name).state), ["open", "refused", "open"]);
  assert.equal(client.room("b").error.code, "FORBIDDEN");
});

test("`join` resolves when the server lets us in, and rejects with its refusal", async () => {
  const { client, open } = world();
  const [good, bad] = [client.room("good").join(), client.room("bad").join()];
  const socket = await open();
  const [{ id }] = socket.of("resume");
  socket.deliver(refused("BANNED", { id, room: "bad" }));
  socket.deliver(info(id, "good", at(1)));
  await good;
  await assert.rejects(bad, { code: "BANNED" });
});

test("a join that is put off is tried again later, with growing delays, and not for ever", async () => {
  const { client, open, clock } = world();
  const socket = await open();
  const room = client.join("general");
  for (let i = 0; i < 11; i += 1) {
    assert.equal(socket.of("join_room").length, i + 1);
    socket.deliver(refused("BUSY", { id: socket.of("join_room").at(-1).id, retry_after_ms: 500 }));
    await clock.pass(20_000);
  }
  assert.deepEqual([room.state, room.error.code], ["refused", "BUSY"]);
});

test("an error of the room that answers nothing means that we were put out", async () => {
  const { room, net, reopen, clock } = await member(3);
  net.last.deliver(refused("FORBIDDEN", { message: "this room was deleted" }));
  assert.deepEqual([room.state, room.error.message], ["refused", "this room was deleted"]);
  net.last.deliver(said(4, "not for us"));
  assert.deepEqual(contents(room), []);
  net.last.end(1006);
  const socket = await reopen();
  assert.equal(socket.of("join_room").length, 0);
  room.join();
  assert.deepEqual(socket.of("join_room")[0].payload.since, at(3));
  socket.deliver(info(socket.of("join_room")[0].id, "general"));
  socket.deliver(refused("INTERNAL_ERROR"));
  assert.equal(room.state, "joining");
  await clock.pass(5_000);
  assert.equal(socket.of("join_room").length, 2);
});

test("who left is told nothing more and does not come back by itself", async () => {
  const { room, net, say, reopen } = await member(3);
  room.leave();
  assert.deepEqual(net.last.of("leave_room")[0].payload, { room_id: "general" });
  say(4, "late");
  assert.deepEqual([contents(room), room.state], [[], "away"]);
  net.last.end(1006);
  assert.deepEqual((await reopen()).sent, []);
});

test("messages are as they are now: edited, reacted to, deleted, erased", async () => {
  const { room, say, net } = await member(0);
  const tell = (...args) => net.last.deliver(happened(...args));
  say(1, "one", { reply_to: "x" });
  say(2, "two");
  const first = room.message(`${EPOCH}-1`);
  tell("reaction_added", 3, { message_id: `${EPOCH}-1`, reaction: "👍" });
  tell("reaction_added", 4, { message_id: `${EPOCH}-1`, reaction: "👍" }, { sender: { id: "9", name: "Cy" } });
  tell("message_edited", 5, { message_id: `${EPOCH}-1`, content: "one!", changes: { edited_at: "2026-01-01T10:00:01.000Z" } });
  const reactions = [{ reaction: "👍", users: ["8", "9"] }];
  assert.deepEqual(room.message(`${EPOCH}-1`).payload, { content: "one!", changes: { edited_at: "2026-01-01T10:00:01.000Z", reactions } });
  assert.notEqual(room.message(`${EPOCH}-1`), first);
  tell("reaction_removed", 6, { message_id: `${EPOCH}-1`, reaction: "👍" });
  tell("reaction_removed", 7, { message_id: `${EPOCH}-1`, reaction: "👍" }, { sender: { id: "9", name: "Cy" } });
  assert.deepEqual(room.message(`${EPOCH}-1`).payload.changes, { edited_at: "2026-01-01T10:00:01.000Z" });
  tell("message_deleted", 8, { message_id: `${EPOCH}-1` });
  tell("message_edited", 9, { message_id: `${EPOCH}-1`, content: "back?", changes: {} });
  tell("reaction_added", 9, { message_id: `${EPOCH}-2`, reaction: "seen before" });
  assert.deepEqual(contents(room), ["", "two"]);
  assert.deepEqual(room.messages[0].payload.changes, { deleted: true });
  tell("user_erased", 10, { user_id: "8" });
  say(11, "after");
  assert.deepEqual(room.messages.map(({ payload }) => payload.changes), [{ erased: true }, { erased: true }, undefined]);
});

test("own changes show when they are stored, in their place, and once", async () => {
  const { room, say, net } = await member(0);
  say(1, "mine to edit", { sender: { id: "7", name: "Ana" }, mood: 1 });
  const edited = room.edit(`${EPOCH}-1`, "edited");
  const [frame] = net.last.of("edit_message");
  assert.deepEqual(frame.payload, { content: "edited", mood: 1, message_id: `${EPOCH}-1` });
  assert.equal(room.messages[0].payload.content, "mine to edit");
  net.last.deliver({ type: "ack", id: frame.id, room: "general", position: at(2), timestamp: "2026-01-01T10:00:09.000Z" });
  await edited;
  assert.deepEqual(room.messages[0].payload, { content: "edited", mood: 1, changes: { edited_at: "2026-01-01T10:00:09.000Z" } });
  const reacted = room.react(`${EPOCH}-1`, "🥁");
  net.last.deliver({ type: "ack", id: net.last.of("add_reaction")[0].id, room: "general", position: at(3) });
  await reacted;
  net.last.deliver(happened("reaction_added", 3, { message_id: `${EPOCH}-1`, reaction: "🥁" }, { sender: { id: "7", name: "Ana" } }));
  assert.deepEqual(room.messages[0].payload.changes.reactions, [{ reaction: "🥁", users: ["7"] }]);
  assert.deepEqual(room.position, at(3));
});

test("the past comes in pages, in front, without holes and without what has changed meanwhile", async () => {
  const { room, say, net } = await member(10);
  const page = (id, messages, more, upto = 10) =>
    net.last.deliver({ type: "history", id, room: "general", payload: { room_id: "general", messages, upto: at(upto), ...(more !== undefined && { more }) } });
  assert.equal(room.more, true);
  say(11, "live");
  const newest = room.loadOlder(3);
  const [first] = net.last.of("get_history");
  assert.deepEqual(first.payload, { room_id: "general", limit: 3, before: at(11) });
  net.last.deliver(happened("message_deleted", 12, { message_id: `${EPOCH}-9` }));
  page(first.id, [said(7, "m7"), said(8, "m8"), said(9, "m9")], true);
  assert.equal((await newest).more, true);
  assert.deepEqual(contents(room), ["m7", "m8", "", "live"]);
  const older = room.loadOlder(3);
  assert.deepEqual(net.last.of("get_history")[1].payload.before, at(7));
  page(net.last.of("get_history")[1].id, [said(2, "m2"), said(3, "m3")], undefined);
  assert.equal((await older).more, true);
  const last = room.loadOlder();
  page(net.last.of("get_history")[2].id, [], false);
  assert.deepEqual((await last).messages, []);
  assert.deepEqual([contents(room), room.more], [["m2", "m3", "m7", "m8", "", "live"], false]);
});

/** A room with 60 messages and 3000 reactions after them, joined or not, whose server looks through so many records for a page. */
async function drowned(reads, joins) {
  const { client, clock, open } = world();
  const model = new ModelRoom("general");
  const ana = { id: "7", name: "Ana" };
  for (let i = 1; i <= 60; i += 1) model.append("new_message", { content: `m${i}` }, ana);
  for (let i = 0; i < 3000; i += 1) model.append(i % 2 ? "reaction_removed" : "reaction_added", { message_id: "m1", reaction: "🥁" }, ana);
  model.reads = reads;
  const room = client.room("general");
  const socket = await open();
  model.connect(socket, ana, () => null);
  const heard = async () => {
    for (const { told } of model.connections.values()) while (told.length > 0) socket.deliver(told.shift());
    await settled();
  };
  if (joins) {
    room.join();
    await heard();
  }
  const load = async () => {
    let done = false;
    const page = room.loadOlder(50).finally(() => (done = true));
    for (let i = 0; i < 500 && !done; i += 1) {
      await heard();
      await clock.pass(100);
    }
    assert.ok(done, "it never ends");
    return page;
  };
  return { room, load, asked: () => socket.of("get_history") };
}

test("messages behind thousands of records that are none are found with one wish", async () => {
  for (const joins of [true, false]) {
    const { room, load, asked } = await drowned(1000, joins);
    const page = await load();
    assert.deepEqual(asked().map(({ payload }) => payload.before?.offset), [joins ? 3061 : undefined, 2061, 1061, 61]);
    assert.deepEqual([contents(room).length, contents(room)[0], room.more, page.next], [50, "m11", true, at(11)]);
    await load();
    assert.deepEqual([contents(room).length, contents(room)[0], room.more], [60, "m1", false]);
  }
});

test("one wish reads so many empty pages, and the next one goes on behind them", async () => {
  const { room, load, asked } = await drowned(100, true);
  const { messages, more } = await load();
  assert.deepEqual([messages, more, asked().length], [[], true, 20]);
  assert.deepEqual([contents(room), room.more], [[], true]);
  await load();
  assert.equal(asked()[20].payload.before.offset, 3061 - 2000);
  assert.deepEqual([contents(room).at(-1), contents(room).length], ["m60", 50]);
});

test("a page that leads nowhere is the last one", async () => {
  const { room, net } = await member(10);
  for (const payload of [{ more: true }, { more: true, next: at(11) }]) {
    const asked = room.loadOlder();
    const { id } = net.last.of("get_history").at(-1);
    net.last.deliver({ type: "history", id, room: "general", payload: { room_id: "general", messages: [], upto: at(10), ...payload } });
    await asked;
    assert.equal(room.more, false);
  }
  assert.equal(net.last.of("get_history").length, 2);
});

test("asking for the past before joining gives a place to join from", async () => {
  const { client, open } = world();
  const room = client.room("general");
  const asked = room.loadOlder();
  const socket = await open();
  const history = { room_id: "general", messages: [said(4, "m4")], upto: at(5), more: true };
  socket.deliver({ type: "history", id: socket.of("get_history")[0].id, room: "general", payload: history });
  await asked;
  room.join();
  assert.deepEqual(socket.of("join_room")[0].payload.since, at(5));
});

test("a place that was learned while the join was on its way leaves no hole", async () => {
  const { client, open } = world();
  const socket = await open();
  const room = client.join("general");
  const asked = room.loadOlder();
  socket.deliver({ type: "history", id: socket.of("get_history")[0].id, room: "general", payload: { room_id: "general", messages: [said(4, "m4")], upto: at(4), more: true } });
  await asked;
  socket.deliver(info(socket.of("join_room")[0].id, "general", at(6)));
  assert.deepEqual(socket.of("join_room")[1].payload.since, at(4));
  socket.deliver(info(socket.of("join_room")[1].id, "general"));
  socket.deliver({ type: "resumed", room: "general", payload: { room_id: "general", upto: at(6) } });
  socket.deliver(said(5, "m5"));
  socket.deliver(said(6, "m6"));
  assert.deepEqual(contents(room), ["m4", "m5", "m6"]);
});

test("a room keeps so many messages, the past a few times more, and says when it is full", async () => {
  const { room, say, net } = await member(100, { messagesMax: 5 });
  for (let offset = 101; offset <= 112; offset += 1) say(offset, `m${offset}`);
  assert.deepEqual([contents(room).length, contents(room)[0], room.more], [5, "m108", true]);
  const load = async (from, to) => {
    const page = room.loadOlder();
    const messages = Array.from({ length: to - from + 1 }, (_, i) => said(from + i, `m${from + i}`));
    net.last.deliver({ type: "history", id: net.last.of("get_history").at(-1).id, room: "general", payload: { room_id: "general", messages, upto: at(112), more: true } });
    return page;
  };
  await load(70, 107);
  assert.equal(room.messages.length, 43);
  await assert.rejects(load(50, 69), { code: "HISTORY_FULL" });
  say(113, "m113");
  assert.equal(room.messages.length, 43);
  room.trim();
  assert.deepEqual([room.messages.length, contents(room)[0]], [5, "m109"]);
});

test("typing of others lapses, ends with their message, and never shows oneself", async () => {
  const { room, say, net, clock } = await member(0);
  const types = (id, typing = true) => net.last.deliver({ type: "user_typing", room: "general", payload: { typing }, sender: { id, name: id } });
  types("8");
  types("9");
  types("7");
  assert.deepEqual(room.typing.map(({ id }) => id), ["8", "9"]);
  say(1, "said");
  assert.deepEqual(room.typing.map(({ id }) => id), ["9"]);
  await clock.pass(5_999);
  assert.equal(room.typing.length, 1);
  await clock.pass(1);
  assert.deepEqual(room.typing, []);
  types("9");
  types("9", false);
  assert.deepEqual(room.typing, []);
});

test("typing in rooms of support says so by another name", async () => {
  const { room, net } = await member(0);
  const types = (is_typing) => net.last.deliver({ type: "user_typing", room: "general", payload: { user_id: "8", sender_type: "agent", is_typing }, sender: { id: "8", name: "Ada" } });
  types(true);
  assert.deepEqual(room.typing, [{ id: "8", name: "Ada" }]);
  types(false);
  assert.deepEqual(room.typing, []);
});

test("own typing is said every few seconds, and not at every key", async () => {
  const { room, net, clock } = await member(0);
  for (let i = 0; i < 50; i += 1) {
    room.startTyping();
    await clock.pass(100);
  }
  assert.equal(net.last.of("typing").length, 2);
  room.stopTyping();
  room.stopTyping();
  assert.equal(net.last.of("stop_typing").length, 1);
  room.startTyping();
  assert.equal(net.last.of("typing").length, 3);
});

test("people: who is known may come again, a count alone keeps the names", async () => {
  const { room, net } = await member(0);
  const tell = (type, payload) => net.last.deliver({ type, room: "general", payload });
  tell("user_joined", { id: "8", name: "Bo" });
  tell("user_joined", { id: "8", name: "Bo" });
  tell("user_left", { id: "9", name: "Cy" });
  assert.deepEqual([room.people.map(({ name }) => name), room.count], [["Ana", "Bo"], 2]);
  tell("online_users", { room_id: "general", users: [], count: 300 });
  assert.deepEqual([room.people.length, room.count], [2, 300]);
  tell("online_users", { room_id: "general", users: [{ id: "9", name: "Cy" }], count: 1 });
  assert.deepEqual([room.people, room.count], [[{ id: "9", name: "Cy" }], 1]);
});

test("unread counts the others' messages after the mark, also the missed ones, once", async () => {
  const { room, say, net, reopen } = await member(10, {}, { title: "General", unread: 3, role: "member" });
  assert.deepEqual([room.unread, room.about.title], [3, "General"]);
  say(11, "theirs");
  say(12, "mine", { sender: { id: "7", name: "Ana" } });
  assert.equal(room.unread, 4);
  const marked = room.markRead();
  assert.equal(room.unread, 0);
  assert.deepEqual(net.last.of("mark_read")[0], { type: "mark_read", room: "user:7", id: net.last.of("mark_read")[0].id, payload: { room_id: "general", upto: at(12) } });
  net.last.deliver(ack(net.last.of("mark_read")[0].id, undefined, "user:7"));
  await marked;
  net.last.end(1006);
  const socket = await reopen();
  assert.deepEqual(socket.of("join_room")[0].payload.read_upto, at(12));
  socket.deliver(info(socket.of("join_room")[0].id, "general", undefined, { unread: 2 }));
  socket.deliver({ type: "resumed", room: "general", payload: { room_id: "general", upto: at(14) } });
  say(13, "missed");
  say(14, "missed");
  assert.equal(room.unread, 2);
  net.last.deliver(said(15, "live"));
  assert.equal(room.unread, 3);
  room.read(at(14));
  assert.equal(room.unread, 1);
});

test("what the room says of itself and of us follows its records", async () => {
  const { room, net } = await member(0, {}, { title: "a", role: "member", access: "open" });
  const events = [];
  room.on("event", ({ type }) => events.push(type));
  const tell = (...args) => net.last.deliver(happened(...args));
  tell("room_changed", 1, { title: "b", topic: "t", access: "private", slow_mode_seconds: 5 });
  tell("role_changed", 2, { user_id: "7", role: "moderator" });
  tell("role_changed", 3, { user_id: "9", role: "owner" });
  tell("member_muted", 4, { user_id: "7", until: "2026-01-01T11:00:00.000Z" });
  const { title, slow_mode_seconds, role, muted_until } = room.about;
  assert.deepEqual([title, slow_mode_seconds, role, muted_until], ["b", 5, "moderator", "2026-01-01T11:00:00.000Z"]);
  tell("member_unmuted", 5, { user_id: "7" });
  assert.equal("muted_until" in room.about, false);
  assert.equal(events.length, 5);
});

test("a listener that throws harms nobody else, and its error surfaces", async (t) => {
  const { room, say } = await member(0);
  const thrown = [];
  t.mock.method(globalThis, "queueMicrotask", (work) => thrown.push(work));
  room.on("message", () => {
    throw new Error("a page's own fault");
  });
  const heard = [];
  const off = room.on("message", ({ id }) => heard.push(id));
  say(1, "one");
  off();
  say(2, "two");
  assert.deepEqual([heard, contents(room)], [[`${EPOCH}-1`], ["one", "two"]]);
  assert.throws(thrown[0], /a page's own fault/);
});
