// What becomes of a message: edits, reactions, replies, deletes; and rooms of two.

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

const enters = (name, at, options = {}) => Person.enters(browser, server.url, name, { at, ...options });

test('edits: by the sign and by the key, told to the other, kept over a reload', async () => {
  const [ana, bo] = [await enters('Ana', '#edits'), await enters('Bo', '#edits')];
  await ana.tells('Helo');
  await bo.hears('Helo');
  await ana.does('Edit', 'Helo');
  await ana.sees('#context', 'Editing: Helo');
  assert.equal(await ana.page.inputValue('#say'), 'Helo');
  await ana.shoots('editing');
  await ana.says('Hello');
  await bo.sees('.message', 'Hello (edited)');
  await ana.sees('.message', 'Hello (edited)');
  await ana.page.press('#say', 'ArrowUp');
  await ana.sees('#context', 'Editing: Hello');
  await ana.page.press('#say', 'Escape');
  await ana.misses('#context');
  assert.equal(await ana.page.inputValue('#say'), '');
  assert.equal(await bo.page.locator('.message').first().locator('.tool[aria-label="Edit"]').count(), 0, 'nobody edits what another said');
  await bo.page.reload();
  await bo.sees('.message', 'Hello (edited)');
  await ana.leaves();
  await bo.leaves();
});

test('reactions are counted with who, and taken back', async () => {
  const [ana, bo] = [await enters('Ana', '#reactions'), await enters('Bo', '#reactions')];
  await ana.tells('Who comes?');
  await bo.hears('Who comes?');
  await bo.does('React', 'Who comes?');
  await bo.shoots('react-menu');
  await bo.page.locator('#menu .entry', { hasText: '👍' }).click();
  await ana.sees('.reaction', '👍Bo');
  await ana.page.locator('.reaction').click();
  await bo.sees('.reaction', '👍you and Ana');
  await ana.sees('.reaction[aria-pressed="true"]', '👍Bo and you');
  await ana.shoots('reactions');
  await ana.page.locator('.reaction').click();
  await bo.sees('.reaction', /^👍you$/);
  await bo.page.locator('.reaction').click();
  await ana.misses('.reaction');
  await ana.leaves();
  await bo.leaves();
});

test('a reply quotes, and leads to what it answers', async () => {
  const [ana, bo] = [await enters('Ana', '#replies'), await enters('Bo', '#replies')];
  await ana.tells('A question');
  await bo.hears('A question');
  for (let number = 0; number < 30; number += 1) await ana.tells(`Between ${number}`);
  await bo.message('A question').scrollIntoViewIfNeeded();
  await bo.does('Reply', 'A question');
  await bo.sees('#context', 'Replying to Ana: A question');
  await bo.tells('An answer');
  await ana.sees('.message', 'An answer');
  await ana.sees('.quote', 'Ana A question');
  await ana.shoots('reply');
  await ana.page.locator('.quote').click();
  await ana.until(() => ana.page.evaluate(() => document.activeElement?.querySelector('.text')?.textContent === 'A question'), 'the quote leads nowhere');
  await ana.leaves();
  await bo.leaves();
});

test('a deleted message leaves a mark, everywhere and in its quotes', async () => {
  const [ana, bo] = [await enters('Ana', '#deletes'), await enters('Bo', '#deletes')];
  await ana.tells('A mistake');
  await bo.hears('A mistake');
  await bo.does('Reply', 'A mistake');
  await bo.tells('What?');
  await ana.hears('What?');
  await ana.page.locator('.message', { hasText: 'A mistake' }).first().hover();
  await ana.page.locator('.message', { hasText: 'A mistake' }).first().locator('.tool[aria-label="Delete"]').click();
  await ana.sees('#ask-dialog', 'Delete this message?');
  await ana.shoots('ask');
  await ana.page.click('#ask-dialog [data-cancel]');
  assert.equal((await ana.texts())[0], 'A mistake', 'no means no');
  await ana.page.locator('.message', { hasText: 'A mistake' }).first().hover();
  await ana.page.locator('.message', { hasText: 'A mistake' }).first().locator('.tool[aria-label="Delete"]').click();
  await ana.page.click('#ask-do');
  for (const person of [ana, bo]) {
    await person.sees('.gone', 'This message was deleted.');
    await person.sees('.quote', 'a message that was deleted');
  }
  await bo.page.reload();
  await bo.sees('.gone', 'This message was deleted.');
  await ana.shoots('deleted');
  await ana.leaves();
  await bo.leaves();
});

test('a name alone makes no room one of two people', async () => {
  const ana = await enters('Ana', '#direct:somebody');
  await ana.isIn();
  await ana.sees('#room-title', /./);
  assert.doesNotMatch(await ana.page.locator('#topic').textContent(), /Only the two of you/);
  await ana.leaves();
});

test('two people alone: the room opens for both, is counted, and nobody else gets in', async () => {
  const [ana, bo] = [await enters('Ana', '#alone'), await enters('Bo', '#alone')];
  await ana.sees('#here', 'Bo');
  await ana.chooses('Write to them alone', 'Bo');
  await ana.sees('#room-title', 'Bo');
  await ana.sees('#topic', 'Only the two of you');
  await ana.tells('Between us');
  await bo.sees('#directs .entry.unread', 'Ana');
  await bo.page.locator('#directs a', { hasText: 'Ana' }).click();
  await bo.hears('Between us');
  await bo.tells('Yes');
  await ana.hears('Yes');
  await ana.shoots('direct');
  const address = ana.page.url().split('#')[1];
  const cy = await enters('Cy', `#${address}`);
  await cy.sees('#empty', 'This room is for two others');
  await cy.leaves();
  await ana.leaves();
  await bo.leaves();
});

test('the keyboard edits, reacts and deletes', async () => {
  const ana = await enters('Ana', '#keys');
  const { page } = ana;
  await ana.tells('First');
  await page.keyboard.press('Alt+ArrowUp');
  await page.keyboard.press('e');
  await ana.sees('#context', 'Editing: First');
  await page.keyboard.press('End');
  await page.keyboard.type(' and last');
  await page.keyboard.press('Enter');
  await ana.sees('.message', 'First and last (edited)');
  await page.keyboard.press('Alt+ArrowUp');
  await page.keyboard.press('+');
  await ana.sees('#menu');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await ana.sees('.reaction', '❤️you');
  await ana.until(() => page.evaluate(() => Boolean(document.activeElement?.closest('.message'))), 'the focus does not come back to the message');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Alt+ArrowUp');
  await page.keyboard.press('Delete');
  await ana.sees('#ask-dialog');
  await page.keyboard.press('Enter');
  await ana.sees('.gone');
  await ana.leaves();
});
