// Two people talk: messages, who is here, who types, what is unread, and where one was after a reload.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Person, browse } from './people.js';
import { Server } from './server.js';

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.end();
});

const enters = (name, options) => Person.enters(browser, server.url, name, options);

test('two people talk, and each sees who is here', async () => {
  const ana = await enters('Ana');
  await ana.sees('#empty', 'Nobody has said anything here yet');
  await ana.sees('#alone', 'Open this page in a second window');
  await ana.shoots('empty');
  const bo = await enters('Bo');
  await ana.sees('#here', 'Bo');
  await ana.tells('Hello Bo');
  await bo.hears('Hello Bo');
  await bo.tells('Hello Ana');
  await ana.hears('Hello Ana');
  assert.deepEqual(await ana.texts(), await bo.texts());
  await bo.sees('#here', 'Ana');
  await ana.sees('.who .mark', 'you');
  await ana.shoots('talk');
  const heard = ana.page.locator('#heard');
  await heard.filter({ hasText: 'Bo: Hello Ana' }).waitFor();
  assert.doesNotMatch(await heard.textContent(), /Hello Bo/, 'a screen reader is not told what one said oneself');
  await bo.leaves();
  await ana.misses('#here .entry', 'Bo');
  await ana.leaves();
});

test('texts and names are data', async () => {
  const name = '<b id=bold>B</b>';
  const ana = await enters(name, { at: '#markup' });
  const text = '<img src=x onerror=window.harm=1> &amp; <script>window.harm = 1</script>';
  await ana.tells(text);
  assert.deepEqual(await ana.texts(), [text]);
  assert.equal(await ana.page.locator('.who b').first().textContent(), name);
  assert.equal(await ana.page.evaluate(() => window.harm ?? document.getElementById('bold')), null);
  await ana.leaves();
});

test('typing is told, and ends with the message', async () => {
  const [ana, bo] = [await enters('Ana', { at: '#typing' }), await enters('Bo', { at: '#typing' })];
  await ana.sees('#here', 'Bo');
  await bo.sees('#here', 'Ana');
  await bo.page.locator('#say').pressSequentially('Wait');
  await ana.sees('#typing', 'Bo is typing…');
  await ana.shoots('typing');
  await bo.page.press('#say', 'Enter');
  await ana.hears('Wait');
  await ana.misses('#typing', 'typing');
  await ana.leaves();
  await bo.leaves();
});

test('what is said in another room is counted, and read when one looks', async () => {
  const [ana, bo] = [await enters('Ana', { at: '#general' }), await enters('Bo', { at: '#random' })];
  await ana.isIn();
  await bo.isIn();
  await bo.tells('One');
  await bo.tells('Two');
  await ana.sees('a[data-room="random"] .badge', '2');
  assert.match(await ana.page.title(), /^\(2\) #general/);
  await ana.shoots('unread');
  await ana.page.click('a[data-room="random"]');
  await ana.hears('Two');
  await ana.misses('a[data-room="random"] .badge');
  assert.match(await ana.page.title(), /^#random/);
  await ana.leaves();
  await bo.leaves();
});

test('a reload keeps the person, the room, the draft and the place', async () => {
  const ana = await enters('Ana', { at: '#reload' });
  await ana.isIn();
  for (let number = 1; number <= 60; number += 1) await ana.tells(`Line ${number} of many\nwith a second one`);
  await ana.page.fill('#say', 'A draft');
  await ana.page.locator('.message', { hasText: 'Line 12 of' }).scrollIntoViewIfNeeded();
  await ana.sees('#newest');
  const place = () => ana.page.locator('.message', { hasText: 'Line 12 of' }).boundingBox().then((box) => Math.round(box.y));
  const was = await place();
  await ana.page.reload();
  await ana.isConnected();
  await ana.hears('Line 12 of');
  await ana.until(async () => Math.abs((await place()) - was) < 3, 'the place is another');
  assert.equal(await ana.page.locator('#my-name').textContent(), 'Ana');
  assert.equal(await ana.page.inputValue('#say'), 'A draft');
  assert.match(ana.page.url(), /#reload$/);
  await ana.page.click('#newest');
  await ana.sees('.message', 'Line 60 of');
  await ana.misses('#newest');
  await ana.leaves();
});

test('a past without messages is looked through, so far at once, and further when one wishes', async () => {
  const ana = await enters('Ana', { at: '#quiet' });
  await ana.isIn();
  for (let number = 1; number <= 30; number += 1) await ana.says(`Said ${number}.`);
  await ana.hears('Said 30.');
  const bo = await Person.opens(browser, `${server.url}/chat/#quiet`);
  let isQuiet = true;
  const asked = new Map();
  // As a server answers where reactions fill the pages: no messages, and where to go on.
  await bo.page.routeWebSocket(/\/ws/, (socket) => {
    const far = socket.connectToServer();
    socket.onMessage((text) => {
      const { type, id, payload } = JSON.parse(text);
      if (type === 'get_history') asked.set(id, payload.before);
      far.send(text);
    });
    far.onMessage((text) => {
      const frame = JSON.parse(text);
      const before = asked.get(frame.id);
      if (frame.type !== 'history' || !isQuiet) return socket.send(text);
      const next = { epoch: frame.payload.upto.epoch, offset: before.offset - 1 };
      socket.send(JSON.stringify({ ...frame, payload: { ...frame.payload, messages: [], more: true, next } }));
    });
  });
  await bo.page.reload();
  await bo.page.fill('#name', 'Bo');
  await bo.page.click('#door button');
  await bo.sees('#beginning', 'Reading earlier messages…');
  await bo.sees('#beginning button', 'Look further back');
  await bo.shoots('quiet');
  assert.deepEqual([...asked.values()].map(({ offset }) => offset), Array.from({ length: 20 }, (_, index) => 31 - index));
  isQuiet = false;
  await bo.page.click('#beginning button');
  await bo.hears('Said 1.');
  await bo.sees('#beginning', 'This is the beginning of the room.');
  assert.equal((await bo.texts()).length, 10, 'what lies before what was looked through');
  await ana.leaves();
  await bo.leaves();
});

test('a long past comes by scrolling, to the beginning of the room', async () => {
  const ana = await enters('Ana', { at: '#long' });
  await ana.isIn();
  for (let number = 1; number <= 180; number += 1) await ana.says(`Message ${number}.`);
  await ana.hears('Message 180.');
  const bo = await enters('Bo', { at: '#long' });
  await bo.hears('Message 180.');
  assert.equal((await bo.texts()).length, 50, 'the newest page first');
  await bo.until(async () => {
    await bo.page.locator('#timeline').evaluate((element) => element.scrollBy(0, -300));
    return (await bo.page.locator('.message', { hasText: /Message 1\./ }).count()) > 0;
  }, 'the first message never comes');
  await bo.sees('#beginning', 'This is the beginning of the room.');
  const numbers = (await bo.texts()).map((text) => Number(/\d+/.exec(text)[0]));
  assert.deepEqual(numbers, Array.from({ length: 180 }, (_, index) => index + 1), 'without gap or repeat');
  await bo.shoots('beginning');
  await ana.tells('One more');
  await bo.sees('#below', '1');
  await bo.page.click('#newest');
  await bo.sees('.message', 'One more');
  await ana.leaves();
  await bo.leaves();
});
