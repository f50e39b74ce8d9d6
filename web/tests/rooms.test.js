// Rooms with owners: created, set, moderated, deleted; and what those read who are not let in, are put out, muted or slowed.

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

const enters = (name, at = '') => Person.enters(browser, server.url, name, { at });

/** By the dialog, as its owner. */
async function creates(person, name, { title = '', topic = '', isPrivate = false } = {}) {
  const { page } = person;
  await page.click('#new-room');
  await page.fill('#room-field', name);
  await page.check('#room-create');
  await page.fill('#room-new-title', title);
  await page.fill('#room-new-topic', topic);
  if (isPrivate) await page.check('#room-private');
  await person.shoots('create');
  await page.click('#room-do');
  await person.misses('#room-dialog');
  await person.sees('#settings');
}

test('a room is created, titled, set anew, and its name is taken from then on', async () => {
  const ana = await enters('Ana');
  await creates(ana, 'garden', { title: 'The garden', topic: 'What grows' });
  await ana.sees('#room-title', '#The garden');
  await ana.sees('#topic', 'What grows');
  await ana.sees('#here', 'you, owner');
  const bo = await enters('Bo', '#garden');
  await bo.sees('#room-title', '#The garden');
  assert.equal(await bo.page.locator('#settings').isVisible(), false, 'a guest sets nothing');
  await ana.page.click('#settings');
  await ana.page.fill('#set-title', 'The pond');
  await ana.shoots('settings');
  await ana.page.click('#settings-form button[type="submit"]');
  await bo.sees('#room-title', '#The pond');
  await bo.sees('a[data-room="garden"]', 'The pond');
  await bo.page.click('#new-room');
  await bo.page.fill('#room-field', 'garden');
  await bo.page.check('#room-create');
  await bo.page.click('#room-do');
  await bo.sees('#room-trouble', 'created already');
  await bo.shoots('exists');
  await bo.page.click('#room-dialog [data-cancel]');
  await ana.leaves();
  await bo.leaves();
});

test('a private room is closed to strangers, and opens by itself for whom it is opened', async () => {
  const ana = await enters('Ana');
  await creates(ana, 'cellar', { isPrivate: true });
  await ana.tells('Come in');
  const bo = await enters('Bo', '#cellar');
  await bo.sees('#empty', 'This room is private');
  await bo.shoots('private');
  assert.equal(await bo.page.isEnabled('#say'), false);
  // Nobody can be chosen who is not here, so the word is said as a back end would say it.
  const id = await bo.page.locator('#my-id').textContent();
  await ana.page.evaluate(async (user) => {
    const { Kulkul } = await import('/client/index.js');
    const { token } = JSON.parse(sessionStorage.getItem('kulkul'));
    const client = new Kulkul(`${location.origin.replace('http', 'ws')}/ws`, { token });
    client.connect();
    await client.room('cellar').addMember(user, { name: 'Bo' });
    client.disconnect();
  }, id);
  await bo.hears('Come in');
  await bo.tells('Thank you');
  await ana.hears('Thank you');
  await ana.sees('#here', 'Bo');
  await bo.page.reload();
  await bo.hears('Thank you');
  await bo.sees('a[data-room="cellar"]', 'private');
  await ana.leaves();
  await bo.leaves();
});

test('who is muted reads why and for how long, and speaks again when let', async () => {
  const ana = await enters('Ana');
  await creates(ana, 'loud');
  const bo = await enters('Bo', '#loud');
  await ana.sees('#here', 'Bo');
  await ana.chooses('Mute for 5 minutes', 'Bo');
  await bo.sees('#note', /You are muted here for \d+ (s|min) more/);
  assert.equal(await bo.page.isEnabled('#say'), false);
  await bo.shoots('muted');
  await ana.sees('#here .mark', /muted/);
  await ana.shoots('moderating');
  await ana.chooses('Let them speak again', 'Bo');
  await bo.misses('#note');
  await bo.tells('Sorry');
  await ana.hears('Sorry');
  await ana.does('Delete', 'Sorry');
  await ana.page.click('#ask-do');
  await bo.sees('.gone');
  await ana.leaves();
  await bo.leaves();
});

test('slow mode counts down, and does not slow its owner', async () => {
  const ana = await enters('Ana');
  await creates(ana, 'slow');
  const bo = await enters('Bo', '#slow');
  await ana.page.click('#settings');
  await ana.page.fill('#set-slow', '60');
  await ana.page.click('#settings-form button[type="submit"]');
  await bo.sees('#topic', 'Slow mode: one message in 60 s');
  await bo.tells('One');
  await bo.sees('#note', /Slow mode: you can speak again in \d+ s/);
  assert.equal(await bo.page.isEnabled('#send'), false);
  await bo.shoots('slow');
  await ana.tells('I may');
  await ana.tells('And again');
  await ana.page.click('#settings');
  await ana.page.fill('#set-slow', '0');
  await ana.page.click('#settings-form button[type="submit"]');
  await bo.misses('#note');
  await bo.tells('Two');
  await ana.leaves();
  await bo.leaves();
});

test('who is put out or banned reads that, and what can be done', async () => {
  const ana = await enters('Ana');
  await creates(ana, 'strict');
  const [bo, cy] = [await enters('Bo', '#strict'), await enters('Cy', '#strict')];
  await ana.sees('#here', 'Bo');
  await ana.sees('#here', 'Cy');
  await ana.chooses('Put out for a minute', 'Bo');
  await ana.page.fill('#ask-input', 'Too loud');
  await ana.page.click('#ask-do');
  await bo.sees('#empty', 'You were put out of this room');
  await bo.shoots('put-out');
  await bo.page.locator('#empty button').click();
  await bo.sees('#empty', /You may come back in \d+ s/);
  await ana.chooses('Ban', 'Cy');
  await ana.page.click('#ask-do');
  await cy.sees('#empty', 'You are banned from this room');
  await ana.sees('#banned', 'Cy');
  await ana.shoots('banned');
  await ana.page.locator('#banned .entry', { hasText: 'Cy' }).click();
  await ana.page.locator('#menu .entry', { hasText: 'Let them in again' }).click();
  await ana.misses('#banned');
  await cy.page.locator('#empty button').click();
  await cy.isIn();
  await cy.tells('Thank you');
  await ana.hears('Thank you');
  await ana.leaves();
  await bo.leaves();
  await cy.leaves();
});

test('a moderator is made, and a room is deleted', async () => {
  const ana = await enters('Ana');
  await creates(ana, 'brief');
  const bo = await enters('Bo', '#brief');
  await ana.sees('#here', 'Bo');
  await ana.chooses('Add as a member', 'Bo');
  await ana.sees('.toast', 'Bo is a member now.');
  await ana.until(async () => {
    await ana.page.locator('#here button', { hasText: 'Bo' }).click();
    const can = (await ana.page.locator('#menu .entry', { hasText: 'Make a moderator' }).count()) > 0;
    if (!can) await ana.page.keyboard.press('Escape');
    return can;
  }, 'Bo never is a member');
  await ana.page.locator('#menu .entry', { hasText: 'Make a moderator' }).click();
  await bo.sees('#here .mark', 'you, moderator');
  await bo.sees('#settings');
  await ana.page.click('#settings');
  await ana.page.click('#delete-room');
  await ana.sees('#ask-dialog', 'gone for everybody');
  await ana.page.click('#ask-do');
  await bo.sees('#empty', 'This room was deleted');
  await bo.shoots('room-deleted');
  await ana.sees('#empty', 'This room was deleted');
  await ana.leaves();
  await bo.leaves();
});

test('too much at once waits its turn, and all of it arrives', async () => {
  const ana = await enters('Ana', '#rush');
  await ana.isIn();
  for (let number = 1; number <= 80; number += 1) await ana.says(`Rush ${number}.`);
  await ana.hears('Rush 80.');
  await ana.misses('.pending');
  assert.deepEqual(await ana.texts(), Array.from({ length: 80 }, (_, index) => `Rush ${index + 1}.`));
  await ana.leaves();
});

test('how much fits into one message is told by its bytes, and nothing is cut', async () => {
  const ana = await enters('Ana', '#lengths');
  await ana.isIn();
  const note = ana.page.locator('#note');
  /** The most of it that is not called too long. */
  const most = async (letter) => {
    await ana.page.fill('#say', letter.repeat(4001));
    await ana.sees('#note', 'too long for one message');
    assert.equal(await ana.page.inputValue('#say'), letter.repeat(4001));
    return 4001 - Number((await note.textContent()).match(/That is ([\d,]+) character/)[1].replace(',', ''));
  };
  for (const letter of ['x', 'é', '🥁', '"']) {
    const fits = await most(letter);
    await ana.page.fill('#say', letter.repeat(fits + 1));
    await ana.sees('#note', 'That is 1 character too long');
    await ana.page.press('#say', 'Enter');
    assert.equal(await ana.page.inputValue('#say'), letter.repeat(fits + 1), 'what does not fit stays');
    await ana.page.fill('#say', letter.repeat(fits));
    await ana.misses('#note');
    await ana.sees('#left', /Room for [0-3] character/);
    await ana.page.press('#say', 'Enter');
    await ana.until(async () => (await ana.texts()).at(-1) === letter.repeat(fits), 'the longest one never comes');
    await ana.misses('.pending');
    await ana.misses('#left');
  }
  await ana.page.fill('#say', 'x'.repeat(3900));
  await ana.sees('#left', 'more');
  await ana.leaves();
});
