// The supervisor's view: the boards as they change, figures, a chat given to somebody, read, spoken in and taken over; and how
// both views of the staff look.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faint, unmade, unnamed } from './made.js';
import { Person, browse } from './people.js';
import { Server } from './server.js';
import { Colleague, Customer } from './staff.js';

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.end();
});

const enters = (name, status, more = {}) => Colleague.enters(browser, { url: server.url, name, status, ...more });
const leads = (name, more = {}) => enters(name, undefined, { view: 'supervisor', ...more });
const figure = (sari, key, words) => sari.sees(`[data-figure="${key}"] dd`, words);

test('a chat from its start to its rating, as the supervisor sees it', async () => {
  const sari = await leads('Sari');
  await sari.sees('#waiting', 'Nobody waits');
  await sari.sees('#agents', 'Nobody is on duty');
  await sari.shoots('supervisor-empty');
  const wayan = await Customer.starts(server.url, 'Wayan', { topic: 'My licence', priority: 'urgent' });
  await sari.sees('#waiting [data-row]', 'My licence');
  await figure(sari, 'waiting', '1');
  await sari.page.locator('#waiting').getByRole('button', { name: 'Give Wayan to an agent' }).click();
  await sari.sees('.toast', 'Nobody of this department is on duty');
  const ada = await enters('Ada', 'busy');
  await sari.sees('#agents [data-row]', 'Busy');
  await sari.page.locator('#waiting').getByRole('button', { name: 'Give Wayan to an agent' }).click();
  await sari.sees('#form-to');
  await sari.shoots('supervisor-give');
  await sari.page.click('#form-do');
  await ada.has('Wayan');
  await sari.sees('#active [data-row]', 'Ada');
  await sari.sees('#agents [data-row]', '1 of 5');
  await wayan.says('Good morning');
  await ada.hears('Good morning');
  await ada.says('Good morning, Wayan');
  await ada.page.click('#close');
  await ada.page.click('#form-do');
  await sari.sees('#active', 'No chat is going on');
  await figure(sari, 'closed', '1');
  await figure(sari, 'first', /^\d+ s$/);
  await wayan.rates(4, 'Quick');
  await figure(sari, 'rating', '4.0 of 5');
  await ada.sees('#chips .rated', '★★★★☆');
  await ada.sees('#details', 'Quick');
  await sari.shoots('supervisor-figures');
  await ada.is('offline');
  await ada.leaves();
  await sari.leaves();
});

test('she reads along, notes, speaks, and takes over', async () => {
  const [sari, ada] = [await leads('Sari'), await enters('Ada', 'online')];
  const ketut = await (await Customer.starts(server.url, 'Ketut', { topic: 'Payment' })).listens(browser);
  await ada.has('Ketut');
  await ketut.says('Twice!');
  await sari.page.locator('#active .who-link', { hasText: 'Ketut' }).click();
  await sari.hears('Twice!');
  await sari.sees('#composer[data-mode="note"]');
  await sari.says('Give the money back');
  await ada.hears('Give the money back');
  await sari.writes('message');
  await sari.sees('label[for="say"]', 'as Sari').catch(() => {});
  await sari.says('We are looking into it.');
  await ketut.heard('We are looking into it.');
  await ada.hears('We are looking into it.');
  await sari.shoots('supervisor-speaks');
  await sari.page.click('#take');
  await sari.sees('#duty label:has(:checked)', 'Busy');
  await sari.sees('#active [data-row]', 'Sari');
  await ada.misses('#chats .chat-entry', 'Ketut');
  await ketut.heard('"name":"Sari"');
  assert.doesNotMatch(JSON.stringify(await ketut.frames()), /money back/);
  await sari.page.click('#show-details');
  await sari.page.selectOption('#priority', 'high');
  await sari.sees('#chips .high', 'high');
  await sari.page.click('#hide-details');
  await sari.page.click('#close');
  await sari.page.fill('#form-other', 'Refunded');
  await sari.page.click('#form-do');
  await sari.sees('#chips .closed', 'closed: Refunded');
  await ketut.heard('Refunded');
  await sari.page.click('#reopen');
  await sari.misses('#chips .closed');
  await ketut.ends();
  await ketut.goes();
  await sari.page.click('#back');
  await sari.misses('#talk-title');
  await ada.is('offline');
  await ada.leaves();
  await sari.leaves();
});

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const LONG = 'https://example.org/' + 'a-very-long-path/'.repeat(12);

/** Through everything that the two views show. @param {(page: Person, where: string) => Promise<void>} looks */
async function shows(looks, options) {
  for (const view of ['desk', 'supervisor']) {
    const door = await Person.opens(browser, `${server.url}/support/${view}/`, options);
    await looks(door, `${view}-door`);
    await door.leaves();
  }
  const ada = await enters('Ada of the very long name that goes on', 'busy', options);
  await looks(ada, 'desk-empty');
  const putu = await Customer.starts(server.url, 'Putu of the very long name that goes on and on', { topic: LONG.slice(0, 180), priority: 'urgent' });
  const gede = await Customer.starts(server.url, 'Gede', { priority: 'high' });
  await ada.sees('#queue .waits', 'Gede');
  await looks(ada, 'desk-queue');
  await ada.takes('Putu');
  await ada.sees('#talk-title', 'Putu');
  await putu.says(LONG);
  await ada.hears(LONG);
  await ada.sees('#chips .turn');
  await ada.says('One moment');
  await looks(ada, 'desk-chat');
  await ada.writes('note');
  await ada.says('A note');
  await looks(ada, 'desk-note');
  await ada.page.click('#close');
  await looks(ada, 'desk-close');
  await ada.page.keyboard.press('Escape');
  const sari = await leads('Sari', options);
  await sari.sees('#active .who-link', 'Putu');
  await looks(sari, 'supervisor');
  await sari.page.locator('#active .who-link', { hasText: 'Putu' }).click();
  await sari.hears('One moment');
  await looks(sari, 'supervisor-chat');
  await sari.page.click('#show-details');
  await sari.page.locator('#details').evaluate((side) => Promise.all(side.getAnimations().map(({ finished }) => finished)));
  await looks(sari, 'supervisor-details');
  await putu.ends();
  await gede.ends();
  await ada.leaves();
  await sari.leaves();
}

for (const width of [320, 390]) {
  test(`a phone of ${width}: targets for fingers, nothing sticks out`, async () => {
    const found = [];
    await shows(async (person, where) => {
      await person.shoots(`phone-${width}-${where}`);
      found.push(...(await person.page.evaluate(unmade, 44)).map((what) => `${where}: ${what}`));
    }, { ...PHONE, viewport: { width, height: 844 } });
    assert.deepEqual(found, []);
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`${colorScheme}: all that is written can be read, and has a name`, async () => {
    await shows(async (person, where) => {
      await person.shoots(`${colorScheme}-${where}`);
      assert.deepEqual(await person.page.evaluate(faint), [], where);
      assert.deepEqual(await person.page.evaluate(unnamed), [], where);
      assert.equal(await person.page.locator('main:visible').count(), 1, `${where}: one main part`);
    }, { colorScheme });
  });
}
