// The console's door and its looks: a wrong key, a link that lets in, the keyboard alone, phones, day and night, a node that is away.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faint, unmade, unnamed } from './made.js';
import { Operator, asks, keyOf, kulkul } from './operators.js';
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
const PARTS = ['/', '/rooms', '/connections', '/explain', '/rooms/chat:looks'];

/** Until a part shows what it was asked for. @param {Operator} operator @param {string} part */
async function shows(operator, part) {
  await operator.goesTo(part);
  const there = { '/': '[data-chart="memory"]', '/rooms': '#panel table', '/connections': '#panel table', '/explain': '#answer', '/rooms/chat:looks': '#at-words' }[part];
  await operator.sees(there);
}

async function peopled() {
  const ana = await Person.enters(browser, server.url, 'Ana', { at: '#looks' });
  await ana.tells('Hello');
  await ana.tells('A word of which the length has no end: ' + 'a-very-long-word-'.repeat(9));
  return ana;
}

test('a wrong key is refused with words on what to do, and the right one lets in', async () => {
  const operator = await Operator.comes(browser, server);
  await operator.page.fill('#key', 'no key of this server');
  await operator.page.click('#door button');
  await operator.sees('#door-trouble', 'not known here');
  assert.equal(await operator.page.evaluate(() => sessionStorage.length), 0, 'a wrong key is not kept');
  await operator.page.fill('#key', keyOf(server));
  await operator.page.keyboard.press('Enter');
  await operator.isConnected();
  await operator.page.reload();
  await operator.isConnected();
  await operator.page.click('#leave');
  await operator.sees('#door');
  assert.equal(await operator.page.evaluate(() => sessionStorage.length), 0, 'and no key is left behind');
  await operator.leaves();
});

test('a link of kulkul console lets in, and its pass is gone from the address', async () => {
  const link = await kulkul(server, 'console');
  assert.match(link, /\/console\/#key=pass\.\d+\.[0-9a-f]{64}$/);
  assert.ok(!link.includes(keyOf(server)), 'the key itself is not in it');
  const operator = await Person.opens(browser, link);
  await operator.isConnected();
  assert.equal(new URL(operator.page.url()).hash, '#/');
  await operator.leaves();
  const old = await Person.opens(browser, link.replace(/pass\.\d+/, 'pass.1'));
  await old.sees('#door-trouble', 'not known here');
  await old.leaves();
});

test('the start page leads here in demo mode', async () => {
  const somebody = await Person.opens(browser, `${server.url}/`);
  await somebody.page.locator('#console-way a').click();
  await somebody.sees('#key');
  await somebody.leaves();
});

test('no page of another origin, and none that came by another name, is answered', async () => {
  for (const headers of [{ Origin: 'http://localhost:3000' }, { Origin: 'null' }, { 'Sec-Fetch-Site': 'cross-site' }]) {
    const response = await fetch(`${server.url}/overview`, { headers: { ...headers, 'X-API-Key': keyOf(server) } });
    assert.equal(response.status, 403, JSON.stringify(headers));
    assert.match((await response.json()).error, /for pages? of a browser|of pages of a browser/);
  }
  const page = await fetch(`${server.url}/console/`);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self';.*frame-ancestors 'none'$/);
  assert.equal((await fetch(`${server.url}/overview`)).status, 401);
});

test('the keyboard alone: in, through the parts, to a room, and along its log', async () => {
  const ana = await peopled();
  const operator = await Operator.comes(browser, server);
  const { page } = operator;
  const focus = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
  await operator.until(async () => (await focus()) === 'key', 'the door has the focus');
  await page.keyboard.type(keyOf(server));
  await page.keyboard.press('Enter');
  await operator.isConnected();
  const tabTo = async (/** @type {(at: string) => boolean} */ is) => {
    for (let step = 0; step < 60 && !is(String(await focus())); step += 1) await page.keyboard.press('Tab');
    assert.ok(is(String(await focus())), 'it is reached by Tab');
  };
  await tabTo((at) => at === 'Rooms');
  assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'the focus can be seen');
  await page.keyboard.press('Enter');
  await operator.sees('#panel a', 'chat:looks');
  assert.equal(await focus(), 'main', 'what is new has the focus');
  await tabTo((at) => at === 'chat:looks');
  await page.keyboard.press('Enter');
  await operator.sees('#at-words');
  await tabTo((at) => at === 'replay');
  await page.keyboard.press('Home');
  await operator.sees('#at-words', 'Before the first record');
  await page.keyboard.press('ArrowRight');
  await operator.sees('#at-words', 'Record 1 of');
  await operator.leaves();
  await ana.leaves();
});

for (const width of [320, 390]) {
  test(`a phone of ${width}: targets for fingers, nothing sticks out`, async () => {
    const ana = await peopled();
    const operator = await Operator.comes(browser, server, '/', { ...PHONE, viewport: { width, height: 844 } });
    const isMade = async (where) => assert.deepEqual(await operator.page.evaluate(unmade, 44), [], where);
    await isMade('the door');
    await operator.shoots(`console-phone-${width}-door`);
    await operator.page.fill('#key', keyOf(server));
    await operator.page.tap('#door button');
    await operator.isConnected();
    for (const part of PARTS) {
      await shows(operator, part);
      await isMade(part);
      await operator.shoots(`console-phone-${width}${part.replaceAll(/[/:]/g, '-')}`);
    }
    await operator.leaves();
    await ana.leaves();
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`${colorScheme}: all that is written can be read, and every part has a name`, async () => {
    const ana = await peopled();
    const operator = await Operator.comes(browser, server, '/', { colorScheme });
    assert.deepEqual(await operator.page.evaluate(faint), [], 'the door');
    await operator.shoots(`console-${colorScheme}-door`);
    await operator.page.fill('#key', keyOf(server));
    await operator.page.click('#door button');
    await operator.isConnected();
    for (const part of PARTS) {
      await shows(operator, part);
      assert.deepEqual(await operator.page.evaluate(faint), [], part);
      assert.deepEqual(await operator.page.evaluate(unnamed), [], part);
      assert.equal(await operator.page.locator('h1:visible').count(), 1, part);
      await operator.shoots(`console-${colorScheme}${part.replaceAll(/[/:]/g, '-')}`);
    }
    const { told } = await asks(server, '/api/history?room=chat:looks&limit=1');
    const { told: users } = await asks(server, '/api/presence?room=chat:looks');
    await operator.goesTo(`/explain?room=chat:looks&offset=${told.messages[0].id}&user=${users.users[0].id}`);
    await operator.sees('.verdict', 'Sent');
    assert.deepEqual(await operator.page.evaluate(faint), [], 'explained');
    await operator.shoots(`console-${colorScheme}-explained`);
    await operator.goesTo('/connections');
    await operator.page.locator('#panel tbody a').first().click();
    await operator.sees('#panel h2', 'What happened to it');
    assert.deepEqual(await operator.page.evaluate(faint), [], 'a connection');
    await operator.shoots(`console-${colorScheme}-connection`);
    await operator.leaves();
    await ana.leaves();
  });
}

test('a node that is away is said, what was shown stays, and it comes back by itself', async () => {
  const own = await Server.start();
  const operator = await Operator.enters(browser, own);
  await operator.sees('[data-figure="connections"]');
  await own.kill();
  await operator.sees('#banner', 'does not answer');
  await operator.sees('[data-figure="connections"]');
  await operator.shoots('console-away');
  await own.run();
  await operator.isConnected();
  await operator.misses('#banner');
  await operator.leaves();
  await own.end();
});
