// What becomes of an agent's chats when the agent, the line or the server goes; and who may not come in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Person, browse } from './people.js';
import { Server } from './server.js';
import { Colleague, Customer } from './staff.js';

const SECRET = 'for-the-tests-of-the-pages-and-for-nothing-else';
const CONFIG = `secret = "${SECRET}"
operator_listen = "127.0.0.1:0"
[support]
agent_gone = "5s"
[[support.departments]]
name = "licences"
title = "Licences"
sessions_max = 3
[[support.departments]]
name = "payments"
title = "Payments"
`;

let server, browser;
before(async () => {
  server = await Server.start({ config: CONFIG });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.end();
});

let number = 0;
async function enters(name, status, { role = 'agent', groups = '*', ...more } = {}) {
  number += 1;
  const token = await server.token(`a${number}`, name, '--role', role, '--groups', groups);
  return Colleague.enters(browser, { url: server.url, name, status, token, ...more });
}

test('an agent’s page is closed: whoever waits for an answer goes to another', async () => {
  const ada = await enters('Ada', 'online');
  const wayan = await Customer.starts(server.url, 'Wayan', { topic: 'Lost' });
  await ada.has('Wayan');
  await wayan.says('Are you there?');
  await ada.hears('Are you there?');
  const bo = await enters('Bo', 'busy');
  await ada.leaves();
  await bo.sees('#queue .waits', 'sent back');
  await bo.shoots('desk-sent-back');
  await bo.takes('Wayan');
  await bo.has('Wayan');
  await bo.hears('Are you there?');
  await bo.sees('.entry-line.system', 'Your agent has left');
  await bo.says('I am here now.');
  await wayan.ends();
  await bo.leaves();
});

test('to be off duty counts at once', async () => {
  const ada = await enters('Ada', 'online');
  const bo = await enters('Bo', 'online');
  const ketut = await Customer.starts(server.url, 'Ketut');
  await ada.has('Ketut');
  await ketut.says('Hello?');
  await ada.hears('Hello?');
  await ada.is('offline');
  await bo.has('Ketut');
  await ada.misses('#chats .chat-entry');
  await ada.sees('#no-chats', 'You are off duty');
  await ketut.ends();
  await ada.leaves();
  await bo.leaves();
});

test('the server is killed and comes back: so does the desk, on duty, with its chats and drafts', async () => {
  const ada = await enters('Ada', 'online');
  const made = await Customer.starts(server.url, 'Made', { topic: 'Cut' });
  await ada.has('Made');
  await ada.says('Before');
  await made.says('My answer');
  await ada.hears('My answer');
  await ada.page.fill('#say', 'A draft');
  await server.kill();
  await ada.sees('#banner', 'No connection');
  await ada.sees('#banner-fate', /You will be off duty in|You are off duty by now/);
  await ada.shoots('desk-cut');
  await ada.sees('#banner-fate', 'You are off duty by now');
  await server.run();
  await ada.comesBack();
  await ada.isConnected();
  await ada.misses('#banner');
  assert.equal(await ada.page.inputValue('#say'), 'A draft');
  await ada.has('Made');
  const dewi = await Customer.starts(server.url, 'Dewi');
  await ada.sees('#chats .chat-entry', 'Dewi');
  await ada.page.press('#say', 'Enter');
  await ada.hears('A draft');
  assert.deepEqual(await ada.texts(), ['Before', 'My answer', 'A draft']);
  await made.ends();
  await dewi.ends();
  await ada.leaves();
});

test('departments that one serves, and those that one does not', async () => {
  const ada = await enters('Ada', 'busy', { groups: 'payments' });
  assert.equal(await ada.page.textContent('#departments'), 'You serve Payments.');
  const [own, others] = [await Customer.starts(server.url, 'Putu', { department: 'payments' }), await Customer.starts(server.url, 'Gede', { department: 'licences' })];
  await ada.sees('#queue .waits', 'Putu');
  assert.equal(await ada.page.locator('#queue .waits').count(), 1);
  await ada.page.evaluate((id) => (location.hash = id), others.id);
  await ada.sees('#timeline .beginning', 'of a department that you do not serve');
  const bo = await enters('Bo', 'busy');
  await bo.sees('#departments', 'Licences, Payments');
  await bo.sees('#queue .waits', 'Payments · without a topic');
  await bo.page.selectOption('#department', 'licences');
  await bo.misses('#queue .waits', 'Putu');
  await bo.shoots('desk-departments');
  await own.ends();
  await others.ends();
  await ada.leaves();
  await bo.leaves();
});

test('a supervisor without groups sees every department, one by one and together', async () => {
  const token = await server.token('s1', 'Sari', '--role', 'supervisor');
  const sari = await Colleague.enters(browser, { url: server.url, name: 'Sari', token, view: 'supervisor' });
  const [one, two] = [await Customer.starts(server.url, 'Rai', { department: 'licences' }), await Customer.starts(server.url, 'Sukma', { department: 'payments' })];
  await sari.sees('#waiting [data-row]', 'Rai');
  await sari.sees('#waiting [data-row]', 'Sukma');
  await sari.page.check('#departments input[value="payments"]', { force: true });
  await sari.misses('#waiting [data-row]', 'Rai');
  await sari.sees('#waiting [data-row]', 'Sukma');
  await sari.sees('[data-figure="waiting"] dd', '1');
  await sari.shoots('supervisor-departments');
  await one.ends();
  await two.ends();
  await sari.sees('#waiting', 'Nobody waits');
  await sari.leaves();
});

test('a customer’s token, and an agent’s at the supervisor’s door', async () => {
  const tries = async (view, role, words) => {
    const person = await Person.opens(browser, `${server.url}/support/${view}/`);
    await person.page.fill('#name', 'Somebody');
    await person.page.click('#door button');
    await person.page.fill('#token', await server.token('c1', 'Somebody', ...role));
    await person.page.click('#key button');
    await person.sees('#door-trouble', words);
    await person.shoots(`${view}-wrong-role`);
    await person.page.fill('#token', 'no token');
    await person.page.click('#key button');
    await person.sees('#door-trouble', 'That is no token');
    await person.leaves();
  };
  await tries('desk', [], 'Your token is a customer’s'.replace('’', "'"));
  await tries('supervisor', ['--role', 'agent', '--groups', '*'], "Your token is an agent's");
});
