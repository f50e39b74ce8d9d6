// Live scoring for whoever has no token, on a server that gives none away: what is public is there, live, and is still there after a
// restart; what is not asks for one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Played, allGo } from './matches.js';
import { Person, browse } from './people.js';
import { Viewer } from './scorer.js';
import { Server } from './server.js';
import { Way } from './way.js';

const CONFIG = 'secret = "for-the-tests-of-the-pages-and-for-nothing-else"\noperator_listen = "127.0.0.1:0"\n';

let server, browser;
before(async () => {
  server = await Server.start({ config: CONFIG });
  browser = await browse();
});
after(async () => {
  allGo();
  await browser?.close();
  await server?.end();
});

const token = (of = server) => of.token('1', 'Olga', '--role', 'organizer');
const opens = (path, url = server.url) => Person.opens(browser, `${url}/scores/${path}`);
const reads = (one, a, b) => one.until(async () => (await one.page.locator('#score-a, #score-b').allTextContents()).join() === `${a},${b}`, `the overlay does not show ${a}–${b}`);
/** The rows of a sheet, by what they came to. */
const rows = (one) => one.page.locator('#rows tr').count();
test('a public match is live in the viewer, the overlay, the sheet and the list, and nobody is asked for a token', async () => {
  const played = await Played.begins(server.url, 'open', { token: await token() });
  const viewer = await Viewer.comes(browser, server.url, 'open');
  const [overlay, sheet, list] = [await opens('overlay/?id=open'), await opens('sheet/?id=open'), await opens('')];
  for (const one of [viewer, sheet, list]) await one.isConnected();
  await overlay.sees('#bug');
  await sheet.sees('#rows tr');
  await list.sees('[data-match="open"]', 'Ready to begin');
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b01', 'b02'] });
  await viewer.reads(2, 0);
  await reads(overlay, 2, 0);
  await sheet.sees('#final', 'Uluwatu 2 – 0 Batur');
  await sheet.sees('#adds', 'The rows add up to the score.');
  // Within the time of one more asking; from there on raid by raid.
  await list.sees('[data-match="open"] .fixture-score', '2–0');
  await played.says('raid', { raiderId: 'b03', tacklerIds: ['a02'] });
  await viewer.reads(3, 0);
  await reads(overlay, 3, 0);
  await list.sees('[data-match="open"] .fixture-score', '3–0');
  await sheet.sees('#sum-0', '3');
  // A correction is told whole, and the sheet shows what is undone.
  const before = await rows(sheet);
  await played.says('undo');
  await viewer.reads(2, 0);
  await reads(overlay, 2, 0);
  await sheet.sees('#rows tr.void');
  assert.equal(await rows(sheet), before);
  await viewer.sees('#story .happened', 'Wayan touches Agung and Ayu.');
  await played.says('card', { playerId: 'b05', card: 'green' });
  await viewer.page.click('#all-story');
  await viewer.sees('#story .happened', 'Green card for');
  await played.says('end_match', { reason: 'abandoned' });
  await viewer.sees('#turn', 'Abandoned');
  await overlay.sees('#phase', 'Full time');
  await list.sees('[data-match="open"]', 'Abandoned');
  for (const one of [viewer, overlay, sheet, list]) {
    assert.equal(await one.page.locator('#key:visible').count(), 0);
    assert.deepEqual(await one.page.evaluate(() => Object.keys(sessionStorage)), [], 'nobody has a token');
    await one.leaves();
  }
  played.goes();
});

test('a match that nobody has made is looked for again, and an overlay waits for it', async () => {
  const [viewer, overlay] = [await opens('match/?id=unborn'), await opens('overlay/?id=unborn')];
  await viewer.sees('#note-title', 'There is no such match yet');
  await viewer.isConnected();
  const played = await Played.begins(server.url, 'unborn', { token: await token() });
  await viewer.page.click('#note-do');
  await viewer.sees('.board', 'Uluwatu');
  await overlay.sees('#bug', 'Uluwatu');
  for (const one of [viewer, overlay]) await one.leaves();
  played.goes();
});

test('a match that is not public asks for a token, of whoever has none and of whoever has the wrong one', async () => {
  const played = await Played.begins(server.url, 'closed', { token: await token(), public: false });
  for (const [path, shows] of [['match/?id=closed', '.board'], ['sheet/?id=closed', '#rows tr']]) {
    const one = await opens(path);
    await one.sees('#note-title', 'This match is not public');
    await one.page.fill('#token', await server.token('9', 'Vi'));
    await one.page.click('#key button');
    await one.sees('#note-title', 'This match is not public');
    await one.page.fill('#token', await token());
    await one.page.click('#key button');
    await one.sees(shows);
    await one.isConnected();
    await one.leaves();
  }
  const overlay = await opens('overlay/?id=closed');
  await overlay.sees('#note', 'This match is not public');
  assert.equal(await overlay.page.locator('#bug:visible').count(), 0);
  await overlay.leaves();
  const carried = await opens(`overlay/?id=closed#token=${await token()}`);
  await carried.sees('#bug', 'Uluwatu');
  assert.ok(!carried.page.url().includes('token'), 'it leaves the address');
  await carried.leaves();
  const list = await opens('');
  await list.isConnected();
  await list.sees('[data-match]');
  assert.equal(await list.page.locator('[data-match="closed"]').count(), 0);
  await list.leaves();
  played.goes();
});

/** A page that counts how it is told of its match, from its first connection on. @param {string} path @param {string} [url] */
async function counts(path, url = server.url) {
  const one = Object.assign(new Viewer(), await Person.opens(browser, 'about:blank'), { states: 0, returns: 0 });
  one.page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => (one.states += Number(String(payload).startsWith('{"type":"initialState"'))));
    socket.on('framesent', ({ payload }) => (one.returns += Number(String(payload).includes('"since":{'))));
  });
  await one.page.goto(`${url}/scores/${path}`);
  return one;
}

/** In order, as the viewer has them. */
const numbers = async (viewer) => (await viewer.page.locator('#story .happened').evaluateAll((all) => all.map((one) => Number(one.dataset.number)))).reverse();

test('killed and started again, the server tells viewer and overlay what they missed, and nothing twice', async () => {
  const played = await Played.begins(server.url, 'restart', { token: await token() });
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b01'] });
  const [viewer, overlay] = [await counts('match/?id=restart'), await counts('overlay/?id=restart')];
  await viewer.reads(1, 0);
  await reads(overlay, 1, 0);
  await server.kill();
  await viewer.sees('#banner', 'What happens meanwhile is not lost');
  await overlay.until(() => overlay.page.evaluate(() => document.body.dataset.state === 'offline'), 'it has noticed nothing');
  assert.equal(await overlay.page.locator('#bug:visible').count(), 1, 'what is shown stays');
  assert.equal(await overlay.page.locator('#note:visible').count(), 0, 'and nothing is said of it');
  await server.run();
  await played.says('raid', { raiderId: 'b03', tacklerIds: ['a02'] });
  await played.says('raid', { raiderId: 'a03', touchedIds: ['b02'] });
  await viewer.reads(3, 0);
  await reads(overlay, 3, 0);
  await viewer.misses('#banner');
  assert.deepEqual(await numbers(viewer), [4, 5, 6]);
  for (const one of [viewer, overlay]) {
    assert.equal(one.states, 1, 'the whole state came once: what was missed came as it was told');
    assert.ok(one.returns >= 1, 'each came back with its place');
    await one.leaves();
  }
  played.goes();
});

test('whatever a proxy says while the server is away, those who were in come back by themselves', async () => {
  const played = await Played.begins(server.url, 'proxied', { token: await token() });
  await played.says('start_half');
  const way = await Way.opens(server.port);
  const [viewer, overlay, list] = [await counts('match/?id=proxied', way.url), await counts('overlay/?id=proxied', way.url), await opens('', way.url)];
  await viewer.reads(0, 0);
  await overlay.sees('#bug');
  await list.sees('[data-match="proxied"]');
  let points = 0;
  for (const status of ['503 Service Unavailable', '404 Not Found', undefined]) {
    const tries = [];
    const counted = (socket) => tries.push(socket);
    way.cut(status);
    for (const one of [viewer, overlay]) one.page.on('websocket', counted);
    await viewer.sees('#banner', 'What happens meanwhile is not lost');
    await viewer.until(async () => tries.length >= 4, 'they do not try again');
    for (const one of [viewer, overlay]) one.page.off('websocket', counted);
    points += 1;
    await played.says('technical', { team: 'A' });
    way.mend();
    await viewer.reads(points, 0);
    await reads(overlay, points, 0);
  }
  for (const one of [viewer, overlay]) {
    assert.equal(one.states, 1);
    assert.equal(await one.page.locator('#key:visible, #note:visible').count(), 0);
  }
  await list.isConnected();
  for (const one of [viewer, overlay, list]) await one.leaves();
  await way.end();
  played.goes();
});

test('a connection that is there in name only is noticed, and another one brings what was missed', async () => {
  const played = await Played.begins(server.url, 'silent', { token: await token() });
  const way = await Way.opens(server.port);
  const overlay = await Person.opens(browser, 'about:blank');
  await overlay.page.clock.install();
  await overlay.page.goto(`${way.url}/scores/overlay/?id=silent`);
  await reads(overlay, 0, 0);
  way.stall();
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b01'] });
  // Long enough to ask, then long enough for the answer.
  for (const ms of [40_000, 20_000]) await overlay.page.clock.fastForward(ms);
  await reads(overlay, 1, 0);
  await overlay.leaves();
  await way.end();
  played.goes();
});

test('where there is no door for viewers, every page asks for a token', async () => {
  const strict = await Server.start({ config: `${CONFIG}\n[[mounts]]\npath = "/ws"\nprotocol = "rooms"\napp = "scores"\n` });
  const played = await Played.begins(strict.url, 'strict', { token: await token(strict) });
  const viewer = await strict.token('8', 'Vi');
  for (const [path, shows] of [['match/?id=strict', '.board'], ['sheet/?id=strict', '#rows tr'], ['', '[data-match="strict"]']]) {
    const one = await opens(path, strict.url);
    if (path !== '') await one.sees('#note-title', 'This server asks who you are');
    await one.sees('#key');
    assert.equal(await one.page.locator('#status').textContent(), 'Not connected');
    await one.page.fill('#token', viewer);
    await one.page.click('#key button');
    await one.sees(shows);
    await one.isConnected();
    await one.leaves();
  }
  const overlay = await opens('overlay/?id=strict', strict.url);
  await overlay.sees('#note', 'This server asks who watches');
  await overlay.leaves();
  const carried = await opens(`overlay/?id=strict#token=${viewer}`, strict.url);
  await carried.sees('#bug', 'Uluwatu');
  await carried.leaves();
  played.goes();
  await strict.end();
});
