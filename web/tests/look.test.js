// The page on a phone, in the dark, on the narrowest screen, without a pointer, and without motion.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faint, unmade, unnamed } from './made.js';
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

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const LONG = 'https://example.org/' + 'a-very-long-path/'.repeat(12);

for (const width of [320, 390]) {
  test(`a phone of ${width}: drawers, targets for fingers, nothing sticks out`, async () => {
    const ana = await Person.opens(browser, `${server.url}/chat/#phone-${width}`, { ...PHONE, viewport: { width, height: 844 } });
    const { page } = ana;
    const isMade = async (where) => assert.deepEqual(await page.evaluate(unmade, 44), [], where);
    await isMade('the door');
    await ana.shoots(`phone-${width}-door`);
    await page.fill('#name', 'Ana of the very long name that goes on');
    await page.tap('#door button');
    await ana.isConnected();
    await ana.isIn();
    await isMade('an empty room');
    await ana.tells(LONG);
    await isMade('a long word');
    await page.locator('.message').first().tap();
    await ana.sees('.tools');
    await isMade('what to do with a message');
    await ana.shoots(`phone-${width}-room`);
    await page.tap('#show-rooms');
    await ana.sees('#rooms-side.open a[data-room="general"]');
    await page.locator('#rooms-side').evaluate((side) => Promise.all(side.getAnimations().map(({ finished }) => finished)));
    await isMade('the rooms');
    await ana.shoots(`phone-${width}-rooms`);
    await page.tap('#new-room');
    await ana.sees('#room-dialog');
    await page.locator('#room-create').check();
    await isMade('a new room');
    await ana.shoots(`phone-${width}-dialog`);
    await page.tap('#room-dialog [data-cancel]');
    await page.tap('a[data-room="random"]');
    await ana.sees('#room-title', '#random');
    await ana.misses('#rooms-side.open');
    await page.tap('#show-people');
    await ana.sees('#people-side.open #here', 'Ana');
    await page.locator('#people-side').evaluate((side) => Promise.all(side.getAnimations().map(({ finished }) => finished)));
    await isMade('the people');
    await ana.shoots(`phone-${width}-people`);
    await page.keyboard.press('Escape');
    await ana.misses('#people-side.open');
    await ana.leaves();
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`${colorScheme}: all that is written can be read`, async () => {
    const [ana, bo] = [
      await Person.enters(browser, server.url, 'Ana', { at: '#colours', colorScheme }),
      await Person.enters(browser, server.url, 'Bo', { at: '#colours', colorScheme }),
    ];
    const isReadable = async (where) => assert.deepEqual(await ana.page.evaluate(faint), [], where);
    await bo.goes('random');
    await bo.tells('Elsewhere');
    await bo.goes('colours');
    await ana.sees('.badge');
    await ana.tells('Hello');
    await bo.hears('Hello');
    await bo.tells('Hello too');
    await ana.hears('Hello too');
    await isReadable('a room');
    await ana.shoots(`room-${colorScheme}`);
    await ana.page.click('#cut');
    await ana.says('Waits');
    await ana.sees('.pending');
    await isReadable('offline');
    await ana.shoots(`offline-${colorScheme}`);
    await ana.page.click('#new-room');
    await isReadable('a dialog');
    await ana.shoots(`dialog-${colorScheme}`);
    await ana.leaves();
    await bo.leaves();
    const door = await Person.opens(browser, `${server.url}/chat/`, { colorScheme });
    assert.deepEqual(await door.page.evaluate(faint), [], 'the door');
    await door.shoots(`door-${colorScheme}`);
    await door.page.goto(`${server.url}/`);
    assert.deepEqual(await door.page.evaluate(faint), [], 'the start page');
    await door.shoots(`start-${colorScheme}`);
    await door.leaves();
  });
}

test('nothing moves for those who want no motion', async () => {
  const ana = await Person.opens(browser, `${server.url}/chat/`, { reducedMotion: 'reduce' });
  assert.equal(await ana.page.evaluate(() => document.getAnimations().length), 0);
  await ana.leaves();
});

test('the keyboard alone: enter, talk, go through the messages, change rooms', async () => {
  const ana = await Person.opens(browser, `${server.url}/chat/#keyboard`);
  const { page } = ana;
  const focus = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.className || document.activeElement?.tagName);
  assert.equal(await focus(), 'name', 'the door has the focus');
  await page.keyboard.type('Ana');
  await page.keyboard.press('Enter');
  await ana.isConnected();
  await ana.isIn();
  await ana.until(async () => (await focus()) === 'say', 'the message field has the focus');
  for (const text of ['One', 'Two', 'Three']) {
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
    await ana.hears(text);
  }
  await page.keyboard.type('Two lines');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('in one');
  await page.keyboard.press('Enter');
  await ana.hears('Two lines\nin one');
  await page.keyboard.press('Alt+ArrowUp');
  const at = () => page.evaluate(() => document.activeElement?.querySelector('.text')?.textContent);
  assert.equal(await at(), 'Two lines\nin one');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  assert.equal(await at(), 'Two');
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, 'solid', 'the focus can be seen');
  await page.keyboard.press('r');
  await ana.sees('#context', 'Replying to Ana: Two');
  assert.equal(await focus(), 'say');
  await page.keyboard.press('Escape');
  await ana.misses('#context');
  await page.keyboard.press('Alt+ArrowUp');
  await page.keyboard.press('Escape');
  assert.equal(await focus(), 'say');
  for (let step = 0; step < 20 && (await page.evaluate(() => document.activeElement?.dataset.room)) !== 'random'; step += 1) await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await ana.sees('#room-title', '#random');
  await ana.leaves();
});

test('every part has a role and a name', async () => {
  const ana = await Person.enters(browser, server.url, 'Ana', { at: '#names' });
  await ana.tells('Hello');
  await ana.page.click('#new-room');
  const nameless = await ana.page.evaluate(unnamed);
  assert.deepEqual(nameless, []);
  assert.equal(await ana.page.locator('main:visible').count(), 1);
  assert.equal(await ana.page.locator('h1:visible').count(), 1);
  await ana.leaves();
});
