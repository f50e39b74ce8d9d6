// What the console tells is so: figures move with what happens, explanations and replays are those of a script.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Played, allGo, token } from './matches.js';
import { Operator, asks, kulkul } from './operators.js';
import { Person, browse } from './people.js';
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

const says = async (room, text) => {
  const { status, told } = await asks(server, '/api/publish', { room, payload: { content: text } });
  assert.equal(status, 200, JSON.stringify(told));
  return told.message_id;
};
const idOf = (person) => person.page.evaluate(() => JSON.parse(atob(Object.values(sessionStorage).concat(Object.values(localStorage)).join().match(/eyJ[\w-]+\.(eyJ[\w-]+)\./)[1].replaceAll('-', '+').replaceAll('_', '/'))).sub);

test('figures move while people come and talk, and the hour survives a reload', async () => {
  const operator = await Operator.enters(browser, server);
  await operator.until(async () => (await operator.figure('connections')) === 0, 'somebody is there');
  const ana = await Person.enters(browser, server.url, 'Ana', { at: '#figures' });
  await operator.until(async () => (await operator.figure('connections')) === 1, 'the connection is not counted');
  await operator.sees('#panel th', '/ws');
  for (const text of ['one', 'two', 'three']) await ana.tells(text);
  await operator.until(async () => {
    const { told } = await asks(server, '/overview');
    return told.counted.messages >= 3 && (await operator.page.locator('[data-figure="messages"]', { hasText: `${told.counted.messages} so far` }).count()) === 1;
  }, 'messages are not counted');
  // Two samples, ten seconds apart, and the line is there.
  await operator.page.locator('[data-chart="connections"] .line').waitFor({ state: 'attached', timeout: 40_000 });
  await operator.page.reload();
  await operator.page.locator('[data-chart="connections"] .line').waitFor({ state: 'attached' });
  await operator.page.locator('[data-chart="connections"] summary').click();
  await operator.sees('[data-chart="connections"] table td');
  await operator.shoots('console-hour');
  await ana.leaves();
  await operator.until(async () => (await operator.figure('connections')) === 0, 'who has gone is still counted');
  await operator.leaves();
});

test('who was there was sent it, who came later was not, and the command says the same', async () => {
  const ana = await Person.enters(browser, server.url, 'Ana', { at: '#explained' });
  await ana.isIn();
  const id = await says('chat:explained', 'for Ana');
  await ana.hears('for Ana');
  const bo = await Person.enters(browser, server.url, 'Bo', { at: '#explained' });
  await bo.isIn();
  const [first, second] = [await idOf(ana), await idOf(bo)];
  const operator = await Operator.enters(browser, server, '/rooms/chat:explained');
  await operator.sees('.record', 'for Ana');
  await operator.page.locator('.record a', { hasText: 'Who got it?' }).first().click();
  assert.equal(await operator.page.inputValue('#explain-offset'), id);
  await operator.page.fill('#explain-user', first);
  await operator.page.keyboard.press('Enter');
  await operator.sees('.verdict', 'Sent');
  const whats = () => operator.page.locator('.finding').evaluateAll((all) => all.map((one) => one.dataset.what));
  assert.deepEqual(await whats(), ['stored', 'delivered', 'drained']);
  await operator.page.fill('#explain-user', second);
  await operator.page.keyboard.press('Enter');
  await operator.sees('.verdict', 'Not sent');
  assert.deepEqual(await whats(), ['stored', 'joined_later']);
  assert.match(await kulkul(server, 'explain', 'chat:explained', id, first), new RegExp(`^${first} was sent it`));
  assert.match(await kulkul(server, 'explain', 'chat:explained', id, 'nobody'), /No connection of nobody/);
  await operator.goesTo('/explain?room=poker:x&offset=1&user=7');
  await operator.sees('#trouble', 'no app serves');
  for (const one of [ana, bo, operator]) await one.leaves();
});

test('the slider shows a match as it was after each raid, to the last figure', async () => {
  const played = await Played.begins(server.url, 'replayed');
  const viewer = await token(server.url, 'Vera');
  const lives = [];
  for (const raiderId of ['a01', 'b01', 'a02', 'b02', 'a01']) {
    await played.says('raid', { raiderId, bonus: true });
    // What viewers are told at that moment, by another way.
    const response = await fetch(`${server.url}/api/matches/replayed`, { headers: { Authorization: `Bearer ${viewer}` } });
    const { told } = await asks(server, '/rooms/scores:replayed');
    lives.push({ at: told.room.last.offset, match: await response.json() });
  }
  const scores = lives.map(({ match }) => JSON.stringify(match.playerStats));
  assert.equal(new Set(scores).size, lives.length, 'each raid changes something');
  const operator = await Operator.enters(browser, server, '/rooms/scores:replayed');
  const end = lives.at(-1)?.at;
  await operator.sees('#at-words', `Record ${end} of ${end}`);
  for (const { at, match } of lives.toReversed()) {
    await operator.page.locator('#replay').fill(String(at));
    await operator.sees('#at-words', `Record ${at} of ${end}`);
    const shown = await operator.page.locator('#replayed .json').first().textContent();
    assert.deepEqual(JSON.parse(shown ?? '').data, match, `at ${at}`);
  }
  await operator.shoots('console-replay');
  await operator.page.locator('[data-does="back"]').click();
  await operator.sees('#at-words', `Record ${lives[0].at - 1} of ${end}`);
  await operator.page.locator('#replay').focus();
  await operator.page.keyboard.press('Home');
  await operator.sees('#at-words', 'Before the first record');
  played.goes();
  await operator.leaves();
});

test('somebody is put out of a room, and a connection ended, each after a question', async () => {
  const ana = await Person.enters(browser, server.url, 'Ana', { at: '#kicked' });
  await ana.isIn();
  const operator = await Operator.enters(browser, server, '/rooms/chat:kicked');
  await operator.page.locator('button', { hasText: 'Put out' }).first().click();
  await operator.sees('#ask-dialog', 'Put Ana out of chat:kicked?');
  await operator.page.keyboard.press('Escape');
  await operator.page.locator('button', { hasText: 'Put out' }).first().click();
  await operator.page.fill('#ask-input', 'a test');
  await operator.page.click('#ask-do');
  await operator.sees('.toast', 'Ana is put out');
  await operator.goesTo('/connections');
  await operator.page.locator('#panel tbody a', { hasText: 'Ana' }).first().click();
  await operator.sees('#panel td', 'came in');
  await operator.page.locator('button', { hasText: 'Disconnect' }).click();
  await operator.page.click('#ask-do');
  await operator.sees('.toast', 'Ana is disconnected');
  await operator.sees('#panel .nothing', 'no more');
  await ana.page.close();
  await operator.leaves();
});
