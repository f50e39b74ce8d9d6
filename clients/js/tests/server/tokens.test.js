// Tokens that end, with the real server: renewed in place, renewed by coming back, not to be had, and refused.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { contents } from "../world/client.js";
import { counted, server, until } from "./server.js";

/** The server warns a minute before the end, and only of a token that had more than that when it came. */
const OVER_A_MINUTE = 66;
/** Slow enough that a minute of talk fits into what a room keeps. */
const CALM = { perSecond: 3, burst: 3 };
const FOREIGN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2ln";

/** What a client went through: each end of a connection with its code, and each type of frame. */
function diary(client) {
  const closes = [];
  const delays = [];
  const errors = [];
  const frames = [];
  client.on("state", ({ state, code, retryInMs }) => {
    if (state !== "offline" && state !== "refused") return;
    closes.push(code);
    if (retryInMs !== null) delays.push(retryInMs);
  });
  client.on("error", (error) => errors.push(error.message));
  client.on("frame", ({ type }) => frames.push(type));
  return { closes, delays, errors, frames, count: (type) => frames.filter((one) => one === type).length };
}

/** Says one after the other until it is enough, and gives what was said. */
async function talk(room, word, isEnough) {
  const said = [];
  while (!isEnough()) {
    said.push(`${word} ${said.length}`);
    await room.send(said.at(-1));
  }
  return said;
}

/** A source that goes through these, the last one again and again. */
function source(...gives) {
  const asked = { count: 0 };
  const token = async () => gives[Math.min(asked.count++, gives.length - 1)]();
  return { asked, token };
}

/** Time as it is, and a chance that is always the same. */
const clock = {
  now: Date.now,
  later: setTimeout,
  cancel: clearTimeout,
  random: () => 0.1,
};

describe("tokens", { concurrency: true }, () => {
  test("before it ends it is renewed on the open connection; else by coming back; never by another user's", async (t) => {
    const here = await server(t);
    const long = (user, more = 0) => here.token(user, "--ttl", `${OVER_A_MINUTE + more}s`);
    const [first, second, third, fourth] = ["1", "2", "3", "6"].map((user) => long(user));
    const renewed = source(() => first, () => here.token("1"));
    const failing = source(() => second, () => assert.fail("nobody is there"), () => here.token("2"));
    const other = source(() => third, () => here.token("4"));
    const foreign = source(() => fourth, () => FOREIGN, () => here.token("6"));
    // A text is never renewed: when this one's connection has ended, those of the others would have, too.
    const witness = here.client("5", { token: long("5", 2) });
    const sockets = [counted(), counted(), counted(), counted()];
    const clients = [renewed, failing, other, foreign].map(({ token }, i) => here.client("", { token, WebSocket: sockets[i].WebSocket }));
    const diaries = clients.map(diary);
    const speaker = here.client("8", { pace: CALM }).room("general");
    const rooms = clients.map((client) => client.room("general"));
    await Promise.all([speaker, ...rooms].map((room) => room.join()));
    await until(() => witness.state === "open", witness);
    const isBack = (i) => diaries[i].closes.length > 0 && clients[i].state === "open";
    const isOver = () => witness.state === "refused" && isBack(1) && isBack(3);
    const said = await talk(speaker, "m", isOver);
    await rooms[0].send("from the first");
    await rooms[1].send("from the second");
    const all = [...said, "from the first", "from the second"];
    const live = rooms.filter((_, i) => i !== 2);
    await until(() => live.every(({ messages }) => messages.length === all.length), ...live);
    assert.deepEqual(live.map(contents), [all, all, all]);
    // The same connection, from before the end of its first token.
    const [one, two, three, four] = diaries;
    assert.deepEqual([sockets[0].opened.length, one.closes, one.count("token_expiring"), one.count("authenticated")], [1, [], 1, 1]);
    assert.deepEqual([renewed.asked.count, clients[0].state], [2, "open"]);
    assert.deepEqual([two.errors, two.closes, sockets[1].opened.length, failing.asked.count], [["nobody is there"], [4401], 2, 3]);
    assert.deepEqual([three.closes, clients[2].state, sockets[2].opened.length], [[4503], "refused", 1]);
    // A newer one that is refused costs nothing until the older one's end, and does not come again.
    assert.deepEqual([four.errors.length, four.closes, sockets[3].opened.length, foreign.asked.count], [1, [4401], 2, 3]);
    assert.equal(witness.status.code, 4401);
  });

  test("one that ends at once is replaced by a new one each time, and nothing is lost or there twice", async (t) => {
    const here = await server(t);
    const short = source(() => here.token("7", "--ttl", "2s"));
    const [client, steady] = [here.client("7", { token: short.token, pace: CALM }), here.client("8", { pace: CALM })];
    const { closes } = diary(client);
    const [ana, bo] = [client.room("general"), steady.room("general")];
    await Promise.all([ana.join(), bo.join()]);
    const isOver = () => closes.length >= 3 && client.state === "open";
    const [byAna, byBo] = await Promise.all([talk(ana, "a", isOver), talk(bo, "b", isOver)]);
    const count = byAna.length + byBo.length;
    await until(() => ana.messages.length === count && bo.messages.length === count, ana, bo);
    const by = (letter) => contents(ana).filter((content) => content.startsWith(letter));
    assert.deepEqual([by("a"), by("b")], [byAna, byBo]);
    assert.deepEqual(contents(bo), contents(ana));
    assert.deepEqual([...new Set(closes)], [4401]);
    assert.equal(short.asked.count, closes.length + 1);
  });

  test("a source that fails is asked again, later and later, and what waits goes when there is a token", async (t) => {
    const here = await server(t);
    const fails = () => {
      throw new Error("no network");
    };
    const wanting = source(fails, () => "", fails, () => 7, () => Promise.reject(new Error("not yet")), () => here.token("7"));
    const { WebSocket, opened } = counted();
    const client = here.client("7", { token: wanting.token, WebSocket, clock });
    const { errors, delays, closes } = diary(client);
    const room = client.room("general");
    room.join();
    const sent = room.send("it waited");
    await sent;
    assert.deepEqual(contents(room), ["it waited"]);
    const none = (what) => `\`token\` gave ${what}: it must give a JWT`;
    assert.deepEqual(errors, ["no network", none("an empty text"), "no network", none("number"), "not yet"]);
    assert.deepEqual(delays, [50, 100, 200, 400, 800]);
    assert.deepEqual([opened.length, wanting.asked.count, new Set(closes).size], [1, 6, 1]);
    assert.equal(client.status.attempt, 0);
    // A good connection forgets what was before; the token that is good is not asked for again.
    client.cut();
    assert.equal(delays.at(-1), 50);
    await until(() => client.state === "open", client);
    assert.equal(wanting.asked.count, 6);
  });

  test("a text that has ended is refused, and again when it is tried once more", async (t) => {
    const here = await server(t);
    const { WebSocket, opened } = counted();
    const token = here.token("7", "--ttl", "1s");
    const client = here.client("7", { token, WebSocket });
    const room = client.room("general");
    await room.join();
    await until(() => client.state === "refused", client);
    assert.deepEqual([client.status.code, client.status.retryInMs, room.state], [4401, null, "joining"]);
    room.send("it stays");
    client.connect();
    await until(() => client.state === "refused" && client.status.words.startsWith("the token has ended"), client);
    assert.deepEqual([opened.length, room.pending.length], [1, 1]);
    // One that was never let in: the failed upgrade makes it look at the token's own end.
    const late = here.client("7", { token });
    await until(() => late.state === "refused", late);
    assert.deepEqual([late.status.code, late.status.attempt], [4401, 1]);
  });

  test("one of another secret is tried again without end, and a source is asked each time", async (t) => {
    const here = await server(t);
    const bad = source(...Array.from({ length: 4 }, () => () => FOREIGN), () => here.token("7"));
    const [byText, bySource] = [counted(), counted()];
    const client = here.client("7", { token: bad.token, WebSocket: bySource.WebSocket, clock });
    const stubborn = here.client("7", { token: FOREIGN, WebSocket: byText.WebSocket, clock });
    const { delays } = diary(client);
    const states = new Set();
    for (const one of [client, stubborn]) one.on("state", ({ state }) => states.add(state));
    const room = client.room("general");
    await room.join();
    await room.send("let in");
    await until(() => byText.opened.length === 5, stubborn);
    assert.deepEqual([bad.asked.count, bySource.opened.length, delays], [5, 5, [50, 100, 200, 400]]);
    assert.ok(!states.has("refused"));
    assert.deepEqual(contents(room), ["let in"]);
  });
});
