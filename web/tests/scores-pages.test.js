// The other pages of live scoring: the list, the organizer's, the sheet, the overlay; older links; and what a page says where there is no
// match.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Played, allGo } from './matches.js';
import { Person, browse } from './people.js';
import { Scorer, Viewer } from './scorer.js';
import { Server } from './server.js';

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await browse();
});
after(async () => {
  allGo();
  await browser?.close();
  await server?.end();
});

const opens = (path, options = {}) => Person.opens(browser, `${server.url}${path}`, options);

test('nobody has made a match: one press makes one, ready to be scored, and the list has it', async () => {
  const fresh = await Server.start();
  const ana = await Person.opens(browser, `${fresh.url}/scores/`);
  await ana.sees('#none', 'No match yet');
  await ana.shoots('scores-empty');
  const watching = await Person.opens(browser, `${fresh.url}/scores/`);
  await watching.sees('#none');
  await ana.page.click('#none [data-demo]');
  await ana.sees('.setup .tag-chip', 'named');
  await watching.sees('.fixture', 'Uluwatu v Batur');
  await watching.sees('.fixture-line', 'Before the match');
  await ana.page.click('[data-toss="teamA raid"]');
  await ana.page.click('#start-half');
  await watching.sees('h3', 'On now');
  const scorer = Object.assign(new Scorer(), ana, { name: 'Ana' });
  await scorer.scores({ raider: 'a01', meets: ['b01', 'b02'] });
  await watching.sees('.fixture-score', '2–0');
  await watching.shoots('scores-list');
  await watching.page.click('.fixture-name');
  await watching.sees('.board', 'First half');
  await ana.leaves();
  await watching.leaves();
  await fresh.end();
});

test('an organizer makes a match of pasted lists, names officials, and hands out its links', async () => {
  const olga = await opens('/scores/organize/');
  await olga.page.fill('#name', 'Olga');
  await olga.page.click('#door button');
  await olga.sees('#create-form');
  await olga.page.fill('#teamA-name', 'Lions');
  await olga.page.fill('#teamA-players', 'Asha, 7\n10 Bina (c)\nChitra');
  await olga.sees('#teamA-said', '3 players: a squad has 7 to 12, so 4 more.');
  await olga.page.fill('#teamB-name', 'Tigers');
  await olga.page.fill('#teamB-players', '1 Kala\n2 Lata\n3 Mira\n4 Nita\n5 Ojas\n6 Priya\n7 Rekha\n8 Sita');
  await olga.page.click('#create-do');
  await olga.sees('#create-trouble', 'Lions: 3 players');
  await olga.page.fill('#teamA-players', 'Asha, 7\n10 Bina (c)\nChitra\nDivya\nEsha\nFarah\nGita\nHema');
  await olga.page.fill('#match-title', 'The final');
  await olga.page.fill('#match-id', 'final');
  await olga.page.fill('#match-minutes', '15');
  await olga.page.check('#match-knockout');
  await olga.shoots('organize-form');
  await olga.page.click('#create-do');
  await olga.sees('#links');
  const links = await olga.page.locator('#links a').allTextContents();
  assert.deepEqual(links, ['console', 'match', 'overlay', 'sheet'].map((page) => `${server.url}/scores/${page}/?id=final`));
  await olga.page.click('.squads-part summary');
  await olga.page.fill('#teamB-name', 'Tigers of the south');
  await olga.page.click('[data-save="teamB"]');
  await olga.sees('.setup-card legend', 'Tigers of the south: who begins');

  const sam = await Scorer.enters(browser, server.url, 'final', 'Sam');
  await sam.sees('#step-title', 'Both squads begin with their first seven?');
  const samId = await sam.page.evaluate(() => JSON.parse(sessionStorage.getItem('kulkul.scores')).user.id);
  await olga.page.focus('#official-id');
  await olga.until(async () => (await olga.page.locator(`#here option[value="${samId}"]`).count()) === 1, 'Sam is not offered');
  await olga.page.fill('#official-id', 'somebody');
  await olga.page.click('#officials-form button');
  await olga.sees('#officials-list', 'somebody');
  await sam.page.click('#first-seven');
  await sam.sees('#refused', 'Only a scorer of this match or an organizer may say line_up, you are viewer.');
  await sam.sees('.step', 'You only watch here');
  for (let waits = 2; waits > 0; waits -= 1) await sam.page.click('#refused #drop');
  await sam.misses('#refused');
  await olga.page.fill('#official-id', samId);
  await olga.page.selectOption('#official-role', 'scorer');
  await olga.page.click('#officials-form button');
  await olga.until(async () => (await olga.page.locator('#officials-list li').count()) === 2, 'Sam is not named');
  await sam.page.reload();
  await sam.sees('#step-title', 'Both squads begin with their first seven?');

  await olga.page.uncheck('.setup-card.teamA input[value="a01"]');
  await olga.page.check('.setup-card.teamA input[value="a08"]');
  await olga.page.click('.setup-card.teamA button');
  await sam.sees('.setup .tag-chip', 'named');
  await olga.page.click('.setup-card.teamB button');
  await olga.page.click('[data-toss="teamB court"]');
  await sam.sees('#turn', 'Raid 1: Lions');
  await sam.sees('#raiders [data-player="a08"]');
  await sam.misses('#raiders [data-player="a01"]');
  await olga.shoots('organize-match');
  await olga.page.goto(`${server.url}/scores/organize/`);
  await olga.sees('[data-own="final"]', 'The final');
  await olga.page.fill('#match-id', 'final');
  await olga.page.click('#fill');
  await olga.page.click('#create-do');
  await olga.sees('#create-trouble', 'There is a match “final” already');
  await olga.leaves();
  await sam.leaves();
});

test('the sheet adds up, is a file, and prints', async () => {
  const played = await Played.begins(server.url, 'sheet');
  const raid = async (raiderId, more = {}) => played.says('raid', { raiderId, ...more });
  await raid('a01', { touchedIds: ['b01', 'b02'], bonus: true });
  await raid('b03', { tacklerIds: ['a02'] });
  await raid('a03', { selfOutIds: ['b04'] });
  await raid('b05', { raiderOut: 'bounds' });
  await played.says('technical', { team: 'B', reason: '=cmd, "quoted"' });
  const undone = await raid('a04', { touchedIds: ['b06'] });
  await played.says('undo', { number: undone.number });
  const state = await played.stands();
  const viewer = await opens('/scores/sheet/?id=sheet');
  await viewer.sees('#adds', 'The rows add up to the score.');
  assert.deepEqual(await viewer.page.locator('#sum-0, #sum-1').allTextContents(), [state.teamA.score, state.teamB.score].map(String));
  const gains = await viewer.page.locator('#rows tr:not(.void) td:nth-child(6)').allTextContents();
  assert.equal(gains.reduce((sum, text) => sum + Number(text || 0), 0), state.teamA.score, 'as it stands on the page');
  await viewer.sees('#rows tr.void', 'undone');
  const downloads = viewer.page.waitForEvent('download');
  await viewer.page.click('#csv');
  const file = await downloads;
  assert.equal(file.suggestedFilename(), 'sheet.csv');
  const text = await readFile(await file.path(), 'utf8');
  const lines = text.replace('\ufeff', '').trim().split('\r\n');
  assert.equal(lines.length - 1, await viewer.page.locator('#rows tr').count());
  assert.match(lines[0], /^number,raid,clock,time,raiding team,raider,what,points Uluwatu,points Batur/);
  assert.ok(text.includes('Technical point to Batur (=cmd, ""quoted"").'), text);
  // While it is open, more is scored.
  await raid('a04', { touchedIds: ['b06', 'b07'] });
  const now = await played.stands();
  await viewer.until(async () => (await viewer.page.locator('#sum-0').textContent()) === String(now.teamA.score), 'the sheet does not go on');
  await viewer.sees('#adds', 'The rows add up to the score.');
  await viewer.page.evaluate(() => (window.print = () => (window.printed = true)));
  await viewer.page.click('#print');
  assert.equal(await viewer.page.evaluate(() => window.printed), true);
  await viewer.page.emulateMedia({ media: 'print' });
  await viewer.misses('#bar');
  await viewer.sees('.signed', 'Referee');
  await viewer.shoots('sheet-print');
  await viewer.leaves();
});

test('the overlay is see-through, stands in its corner, and is there again after a cut without a word', async () => {
  const played = await Played.begins(server.url, 'overlay');
  await played.says('start_half');
  const corners = { '': ['left', 'bottom'], '&corner=top-right': ['right', 'top'], '&corner=bottom': [null, 'bottom'] };
  for (const [corner, [across, down]] of Object.entries(corners)) {
    const screen = await opens(`/scores/overlay/?id=overlay${corner}`, { viewport: { width: 1920, height: 1080 }, colorScheme: 'dark' });
    await screen.sees('#bug');
    const box = await screen.page.locator('#bug').boundingBox();
    if (across === 'left') assert.equal(box.x, 48);
    if (across === 'right') assert.equal(Math.round(box.x + box.width), 1920 - 48);
    if (across === null) assert.ok(Math.abs(box.x + box.width / 2 - 960) < 2);
    if (down === 'top') assert.equal(box.y, 48);
    else assert.equal(Math.round(box.y + box.height), 1080 - 48);
    const seen = await screen.page.evaluate(() => ['html', 'body'].map((name) => getComputedStyle(document.querySelector(name)).backgroundColor));
    assert.deepEqual(seen, ['rgba(0, 0, 0, 0)', 'rgba(0, 0, 0, 0)']);
    await screen.leaves();
  }
  const screen = await opens('/scores/overlay/?id=overlay', { viewport: { width: 1920, height: 1080 } });
  await screen.sees('#score-a', '0');
  await screen.sees('#clock', /^(20:00|19:5\d)$/);
  const image = await screen.page.screenshot({ omitBackground: true });
  const alpha = await screen.page.evaluate(async (bytes) => {
    const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d', { willReadFrequently: true });
    canvas.drawImage(picture, 0, 0);
    return [canvas.getImageData(1500, 200, 1, 1).data[3], canvas.getImageData(80, 950, 1, 1).data[3]];
  }, image.toString('base64'));
  assert.deepEqual(alpha, [0, 255], 'nothing but the score is painted');
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b01', 'b02'] });
  await screen.sees('#score-a', '2');
  await server.kill();
  await screen.until(() => screen.page.evaluate(() => document.body.dataset.state !== 'open'), 'it holds the server to be there');
  assert.ok(await screen.page.locator('#bug').isVisible(), 'what is known stays');
  assert.ok(!(await screen.page.locator('#note').isVisible()), 'and nothing is said');
  await server.run();
  await played.says('raid', { raiderId: 'b03', tacklerIds: ['a02'] });
  await screen.sees('#score-a', '3');
  await screen.leaves();
});

test('older links lead to the match, and where there is none it can be made', async () => {
  await Played.begins(server.url, 'older');
  const sam = await opens('/scorer.html?matchId=older');
  assert.equal(sam.page.url(), `${server.url}/scores/console/?id=older`);
  await sam.page.fill('#name', 'Sam');
  await sam.page.click('#door button');
  await sam.sees('#pad');
  await sam.leaves();
  const viewer = await opens('/viewer.html?matchId=older');
  assert.equal(viewer.page.url(), `${server.url}/scores/match/?id=older`);
  await viewer.sees('.board', 'Uluwatu');
  await viewer.leaves();
  const lost = await opens('/scorer.html');
  assert.equal(lost.page.url(), `${server.url}/scores/`);
  await lost.leaves();

  const nobody = await opens('/viewer.html?matchId=unborn');
  await nobody.sees('#note-title', 'There is no such match yet');
  const early = await opens('/scorer.html?matchId=unborn');
  await early.page.fill('#name', 'Eka');
  await early.page.click('#door button');
  await early.sees('#stage', 'There is no such match yet');
  await early.shoots('console-unborn');
  await early.page.click('#create');
  await early.page.fill('#name', 'Eka');
  await early.page.click('#door button');
  await early.sees('#create-form');
  assert.equal(await early.page.inputValue('#match-id'), 'unborn');
  await early.page.click('#fill');
  await early.page.click('#create-do');
  await early.sees('#links');
  await nobody.page.click('#note-do');
  await nobody.sees('.board', 'Before the match');
  await nobody.leaves();
  await early.leaves();
});

test('a viewer who was away is shown all that happened, and a match that is not public is not shown', async () => {
  const played = await Played.begins(server.url, 'away');
  const viewer = await Viewer.comes(browser, server.url, 'away');
  await viewer.reads(0, 0);
  await server.kill();
  await viewer.sees('#banner', 'What happens meanwhile is not lost');
  await viewer.shoots('viewer-offline');
  await server.run();
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b01'] });
  await played.says('card', { playerId: 'b02', card: 'green' });
  await viewer.comesBack();
  await viewer.reads(1, 0);
  await viewer.misses('#banner');
  await viewer.sees('#story .happened', 'Wayan touches Agung.');
  if (await viewer.page.locator('#all-story').isVisible()) await viewer.page.click('#all-story');
  await viewer.sees('#story .happened', 'Green card for Ayu.');
  await played.says('end_match', { reason: 'abandoned' });
  await viewer.sees('#turn', 'Abandoned');
  await viewer.leaves();
  await Played.created(server.url, 'closed', { public: false });
  const outside = await opens('/scores/match/?id=closed');
  await outside.sees('#note-title', 'This match does not open');
  await outside.sees('#note-words', 'The match is not public');
  await outside.leaves();
});

test('a server that gives no tokens away asks officials for one, and a link may carry it', async () => {
  const config = 'secret = "for-the-tests-of-the-pages-and-for-nothing-else"\noperator_listen = "127.0.0.1:0"\n';
  const strict = await Server.start({ config });
  const scorer = await strict.token('7', 'Sam', '--role', 'scorer');
  const viewer = await strict.token('8', 'Vi');
  const sam = await Person.opens(browser, `${strict.url}/scores/console/?id=strict`);
  await sam.page.fill('#name', 'Sam');
  await sam.page.click('#door button');
  await sam.page.fill('#token', viewer);
  await sam.page.click('#key button');
  await sam.sees('#door-trouble', 'Your token is a viewer’s'.replace('’', "'"));
  await sam.page.fill('#token', scorer);
  await sam.page.click('#key button');
  await sam.sees('#stage', 'There is no such match yet');
  const vi = await Person.opens(browser, `${strict.url}/scores/match/?id=strict`);
  await vi.sees('#note-title', 'There is no such match yet');
  const carried = await Person.opens(browser, `${strict.url}/scores/match/?id=strict#token=${viewer}`);
  await carried.sees('#note-title', 'There is no such match yet');
  assert.ok(!carried.page.url().includes('token'), 'it leaves the address');
  for (const one of [sam, vi, carried]) await one.leaves();
  await strict.end();
});
