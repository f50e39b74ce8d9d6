// The desk: who gets a chat, what is said in it and what only the staff sees, and what becomes of it when its agent goes.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { browse } from './people.js';
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

test('the pages come with the policy that lets nothing else in', async () => {
  for (const view of ['desk', 'supervisor']) {
    const page = await fetch(`${server.url}/support/${view}/`);
    assert.equal(page.status, 200);
    const policy = page.headers.get('content-security-policy');
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) assert.ok(policy.includes(rule), `${view}: ${rule}`);
    const moved = await fetch(`${server.url}/support/${view}`, { redirect: 'manual' });
    assert.equal(moved.status, 308);
    assert.equal(new URL(moved.headers.get('location'), moved.url).pathname, `/support/${view}/`);
  }
});

test('who is off duty is told how to begin, and then gets whoever waits', async () => {
  const ada = await enters('Ada');
  await ada.sees('#empty', 'You are off duty');
  await ada.sees('#no-queue', 'Nobody waits');
  await ada.shoots('desk-off');
  const wayan = await Customer.starts(server.url, 'Wayan', { topic: 'My licence', priority: 'high' });
  await ada.sees('#queue .waits', 'My licence');
  await ada.sees('#queue .chip.high');
  await ada.shoots('desk-queue');
  await ada.page.click('#go-online');
  await ada.has('Wayan');
  await ada.sees('.topic', 'My licence');
  await ada.misses('#queue .waits');
  await wayan.says('Is somebody there?');
  await ada.hears('Is somebody there?');
  await ada.shoots('desk-chat');
  await ada.page.click('#leave');
  await ada.sees('#door');
  await ada.until(async () => (await wayan.asks()).status === 'waiting', 'to go is to be off duty at once');
  await wayan.ends();
  await ada.leaves();
});

test('two pick one customer: one gets the chat, the other is told kindly', async () => {
  const [ada, bo] = [await enters('Ada', 'busy'), await enters('Bo', 'busy')];
  // News of the queue reach Bo late, as over a slow line.
  const held = [];
  let isSlow = true;
  await bo.page.routeWebSocket(/\/ws/, (socket) => {
    const far = socket.connectToServer();
    const isNews = (text) => !/"room_info"/.test(text) && /"session_given"|"waiting_count":0/.test(text);
    far.onMessage((text) => (isSlow && isNews(text) ? held.push(() => socket.send(text)) : socket.send(text)));
  });
  await bo.page.reload();
  await bo.isConnected();
  const ketut = await Customer.starts(server.url, 'Ketut', { topic: 'Payment' });
  await ada.sees('#queue .waits', 'Ketut');
  await bo.sees('#queue .waits', 'Ketut');
  await ada.takes('Ketut');
  await ada.has('Ketut');
  await bo.takes('Ketut');
  await bo.sees('.toast', 'Ada was a moment quicker');
  await bo.shoots('desk-taken');
  isSlow = false;
  held.forEach((goes) => goes());
  await bo.misses('#queue .waits', 'Ketut');
  assert.equal((await ketut.asks()).agent.name, 'Ada');
  await ketut.ends();
  await ada.leaves();
  await bo.leaves();
});

test('they talk; what is a note the customer never sees', async () => {
  const ada = await enters('Ada', 'busy');
  const made = await (await Customer.starts(server.url, 'Made', { topic: 'Address' })).listens(browser);
  await ada.takes('Made');
  await ada.has('Made');
  await ada.sees('.face.here');
  await made.says('I have moved.');
  await ada.hears('I have moved.');
  await ada.sees('#chips .turn', 'your turn');
  await made.types();
  await ada.sees('#typing', 'Made is typing…');
  await ada.page.locator('#say').pressSequentially('We');
  await made.heard('"is_typing":true');
  await ada.page.fill('#say', 'A draft for the customer');
  await ada.writes('note');
  assert.equal(await ada.page.inputValue('#say'), '', 'what was begun as a message is no note');
  await ada.says('Was rude on the telephone');
  await ada.sees('.said.note', 'only the staff sees it');
  await ada.shoots('desk-note');
  await ada.writes('message');
  assert.equal(await ada.page.inputValue('#say'), 'A draft for the customer');
  await ada.says('Where do you live now?');
  await made.heard('Where do you live now?');
  await made.reads();
  await ada.sees('.said.ours .read', 'Read');
  const frames = JSON.stringify(await made.frames());
  assert.doesNotMatch(frames, /rude|note_added/);
  const past = await made.page.evaluate(() => window.room.history({}));
  assert.deepEqual(past.messages.map(({ payload }) => payload.message), ['I have moved.', 'Where do you live now?']);
  await made.leaves({ contact_name: 'Made Ayu', contact_email: 'made@example.org' });
  await ada.sees('#details', 'made@example.org');
  await ada.page.evaluate(() => (location.hash = ''));
  await made.says('In Ubud.');
  await ada.sees('#chats .badge', '1');
  await ada.until(async () => /^\(1\) Desk/.test(await ada.page.title()), 'the title does not count');
  await ada.has('Made');
  await ada.misses('#chats .badge');
  await ada.page.reload();
  await ada.isConnected();
  await ada.hears('Was rude on the telephone');
  await ada.sees('#duty label:has(:checked)', 'Busy');
  await made.ends();
  await made.goes();
  await ada.leaves();
});

test('a long past comes by scrolling, and stays where one reads', async () => {
  const ada = await enters('Ada', 'busy');
  const agung = await Customer.starts(server.url, 'Agung');
  for (let number = 1; number <= 120; number += 1) await agung.says(`Line ${number}.`);
  await ada.takes('Agung');
  await ada.has('Agung');
  await ada.hears('Line 120.');
  assert.equal((await ada.texts()).length, 50, 'the newest page first');
  await ada.until(async () => {
    await ada.page.locator('#timeline').evaluate((element) => element.scrollBy(0, -300));
    return (await ada.page.locator('.said', { hasText: /Line 1\.$/ }).count()) > 0;
  }, 'the first line never comes');
  const numbers = (await ada.texts()).map((text) => Number(/\d+/.exec(text)[0]));
  assert.deepEqual(numbers, Array.from({ length: 120 }, (_, index) => index + 1), 'without gap or repeat');
  await agung.says('One more.');
  await ada.sees('.newest .badge', '1');
  await ada.page.click('.newest');
  await ada.sees('.said', 'One more.');
  await agung.ends();
  await ada.leaves();
});

test('replies by a word, and one’s own', async () => {
  const ada = await enters('Ada', 'busy');
  const nyoman = await Customer.starts(server.url, 'Nyoman Rai');
  await ada.takes('Nyoman');
  await ada.has('Nyoman');
  await ada.page.fill('#say', '/hi');
  await ada.sees('#meant', 'Hello Nyoman');
  await ada.page.press('#say', 'Tab');
  assert.match(await ada.page.inputValue('#say'), /^Hello Nyoman, I am here/);
  await ada.page.press('#say', 'Enter');
  await ada.hears('Hello Nyoman');
  await ada.page.click('#replies');
  await ada.page.locator('#menu .entry', { hasText: 'Edit replies' }).click();
  await ada.page.click('#replies-dialog button:has-text("Add a reply")');
  await ada.page.locator('.reply input').last().fill('hours');
  await ada.page.locator('.reply textarea').last().fill('We are here from 9 to 5.');
  await ada.shoots('desk-replies');
  await ada.page.click('#replies-dialog button:has-text("Save")');
  await ada.page.fill('#say', 'Well: /ho');
  await ada.page.press('#say', 'Tab');
  assert.equal(await ada.page.inputValue('#say'), 'Well: We are here from 9 to 5.');
  await ada.page.fill('#say', '');
  await ada.page.click('#replies');
  await ada.page.locator('#menu .entry', { hasText: '/bye' }).click();
  assert.match(await ada.page.inputValue('#say'), /Have a good day, Nyoman/);
  await nyoman.ends();
  await ada.sees('#chips .closed', 'closed');
  await ada.sees('.composer .trouble', 'This chat is closed');
  await ada.leaves();
});

test('a chat is handed on with a note, and comes to whom it was handed', async () => {
  const [ada, bo] = [await enters('Ada', 'busy'), await enters('Bo')];
  const putu = await (await Customer.starts(server.url, 'Putu', { topic: 'Refund' })).listens(browser);
  await ada.takes('Putu');
  await ada.has('Putu');
  await putu.says('Twice!');
  await bo.is('online');
  await ada.sees('#close:not([hidden])');
  await ada.page.click('#transfer');
  const option = await ada.page.locator('#form-to option', { hasText: 'Bo, online' }).getAttribute('value');
  await ada.page.selectOption('#form-to', option);
  await ada.page.fill('#form-note', 'Knows the ledger, please look at May');
  await ada.shoots('desk-transfer');
  await ada.page.click('#form-do');
  await bo.has('Putu');
  await bo.hears('please look at May');
  await ada.misses('#chats .chat-entry', 'Putu');
  await ada.sees('.composer .trouble', 'Only its agent speaks to the customer, and that is Bo');
  assert.ok(await ada.page.isDisabled('#mode-message'));
  await putu.heard('"name":"Bo"');
  assert.doesNotMatch(JSON.stringify(await putu.frames()), /ledger/);
  await bo.says('I have it.');
  await putu.heard('I have it.');
  await bo.page.click('#close');
  await bo.page.click('#form-do');
  await bo.sees('#chips .closed', 'closed: resolved');
  await bo.misses('#chats .chat-entry', 'Putu');
  await bo.sees('#closed .entry', 'Putu');
  await bo.shoots('desk-closed');
  await putu.goes();
  for (const one of [ada, bo]) await one.is('offline');
  await ada.leaves();
  await bo.leaves();
});

test('the transcript holds what was said, and for the staff what was noted', async () => {
  const ada = await enters('Ada', 'busy');
  const gede = await Customer.starts(server.url, 'Gede', { topic: 'Tickets <b>' });
  await ada.takes('Gede');
  await ada.has('Gede');
  await gede.says('<i>One</i> ticket');
  await ada.hears('<i>One</i> ticket');
  await ada.says('Which day?');
  await ada.writes('note');
  await ada.says('Regular');
  await ada.page.evaluate(() => (window.print = () => (window.printed = document.getElementById('print').innerText)));
  const choose = async (words) => {
    await ada.page.click('#more');
    await ada.page.locator('#menu .entry', { hasText: words }).click();
  };
  const downloads = ada.page.waitForEvent('download');
  await choose('Download');
  const file = await downloads;
  assert.equal(file.suggestedFilename(), `chat-${gede.id}.json`);
  const { session, messages } = JSON.parse(await readFile(await file.path(), 'utf8'));
  assert.deepEqual([session.topic, session.customer.name, session.agent.name], ['Tickets <b>', 'Gede', 'Ada']);
  assert.deepEqual(messages.map(({ message, note }) => message ?? `note: ${note}`), ['<i>One</i> ticket', 'Which day?', 'note: Regular']);
  await choose('Print it for the customer');
  await ada.page.waitForFunction(() => window.printed?.includes('Which day?'));
  assert.doesNotMatch(await ada.page.evaluate(() => window.printed), /Regular/);
  await choose('Print it with notes');
  await ada.page.waitForFunction(() => window.printed?.includes('Regular'));
  await ada.page.emulateMedia({ media: 'print' });
  await ada.sees('#print h1', 'Tickets <b>');
  await ada.misses('#inside');
  await ada.shoots('desk-print');
  await ada.page.emulateMedia({ media: null });
  await gede.ends();
  await ada.leaves();
});

test('the keyboard alone: on duty, a chat, an answer, a note, the end', async () => {
  const ada = await Colleague.opens(browser, `${server.url}/support/desk/`);
  const { page } = ada;
  const keys = async (...pressed) => {
    for (const key of pressed) await page.keyboard.press(key);
  };
  const focus = () => page.evaluate(() => document.activeElement?.id);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'name');
  await page.keyboard.type('Ada');
  await keys('Enter');
  const locator = page.locator('#status', { hasText: 'Connected' });
  await locator.waitFor();
  await page.locator('#departments', { hasText: 'You serve' }).waitFor();
  for (let step = 0; step < 10 && (await focus()) !== 'status-offline'; step += 1) await keys('Tab');
  assert.equal(await focus(), 'status-offline');
  await keys('ArrowLeft', 'ArrowLeft');
  await page.locator('#status-busy:checked').waitFor({ state: 'attached' });
  const dewi = await Customer.starts(server.url, 'Dewi');
  await page.locator('#queue .waits', { hasText: 'Dewi' }).waitFor();
  await keys('?');
  await page.locator('#help-dialog', { hasText: 'Take the chat that is shown' }).waitFor();
  await keys('Escape', 'Alt+p');
  await page.locator('#talk-title', { hasText: 'Dewi' }).waitFor();
  await page.locator('#composer[data-mode="message"]').waitFor();
  await page.locator('#say:focus').waitFor();
  await page.keyboard.type('Good morning');
  await keys('Enter');
  await page.locator('.said.ours:not(.pending)', { hasText: 'Good morning' }).waitFor();
  await keys('Alt+n');
  await page.locator('#composer[data-mode="note"]').waitFor();
  await page.keyboard.type('Says nothing');
  await keys('Enter');
  await page.locator('.said.note', { hasText: 'Says nothing' }).waitFor();
  await keys('ArrowUp', 'ArrowUp');
  assert.equal(await page.evaluate(() => document.activeElement?.querySelector('.text')?.textContent), 'Good morning');
  assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'the focus can be seen');
  await keys('Alt+c');
  await page.locator('#form-dialog').waitFor();
  await keys('Tab', 'Enter');
  await page.locator('#chips .closed').waitFor();
  assert.equal((await dewi.asks()).status, 'closed');
  await ada.leaves();
});
