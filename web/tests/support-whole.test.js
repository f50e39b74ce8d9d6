// A conversation from the visitor's question to the rating, with real pages on every side: the visitor's window, two desks and the
// supervisor's view.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { browse } from './people.js';
import { Server } from './server.js';
import { Colleague } from './staff.js';
import { Visitor } from './visitor.js';

const CONFIG = `secret = "for-the-tests-of-the-pages-and-for-nothing-else"
operator_listen = "127.0.0.1:0"
[support]
agent_gone = "5s"
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

async function enters(name, { role = 'agent', ...more } = {}) {
  const token = await server.token(name.toLowerCase(), name, '--role', role, '--groups', '*');
  return Colleague.enters(browser, { url: server.url, name, token, ...more });
}

test('a visitor asks, an agent picks up and is gone, another takes it to its end, and it is rated', async () => {
  const cy = await Visitor.comes(browser, `${server.url}/support/`);
  const sue = await enters('Sue', { role: 'supervisor', view: 'supervisor' });
  const ada = await enters('Ada', { status: 'busy' });
  await cy.begins('Where is my licence?', { topic: 'My licence' });
  await cy.finds('#status', /You are (next|in line)/);
  await sue.sees('#waiting [data-row]', 'My licence');

  await ada.takes('Cy');
  await ada.has('Cy');
  await cy.finds('#status', 'Ada is with you');
  await sue.sees('#active [data-row]', 'Ada');
  await ada.page.locator('#say').pressSequentially('One mo');
  await cy.finds('#typing', 'Ada is writing…');
  await ada.says('One moment, please.');
  await cy.finds('.message .text', 'One moment, please.');
  await cy.inside.locator('#say').pressSequentially('Thank');
  await ada.sees('#typing', 'Cy is typing…');
  await cy.inside.locator('#say').fill('');
  await cy.tellsAgent('Thank you. Is it on its way?');
  await ada.hears('Is it on its way?');
  await ada.writes('note');
  await ada.says('Asked the printing office.');

  // Her page is closed, and an answer is owed.
  await ada.leaves();
  await cy.finds('#status', /You are (next|in line)/);
  await sue.sees('#waiting [data-row]', 'My licence');
  const bo = await enters('Bo', { status: 'online' });
  await bo.has('Cy');
  await bo.hears('Asked the printing office.');
  await cy.finds('#status', 'Bo is with you');
  await bo.writes('message');
  await bo.says('It left the house this morning.');
  await cy.finds('.message .text', 'It left the house this morning.');

  const downloads = bo.page.waitForEvent('download');
  await bo.page.click('#more');
  await bo.page.locator('#menu .entry', { hasText: 'Download' }).click();
  const { messages } = JSON.parse(await readFile(await (await downloads).path(), 'utf8'));
  const said = ['Where is my licence?', 'One moment, please.', 'Thank you. Is it on its way?', 'note: Asked the printing office.'];
  const whole = messages.filter(({ sender_type }) => sender_type !== 'system').map(({ message, note }) => message ?? `note: ${note}`);
  assert.deepEqual(whole, [...said, 'It left the house this morning.']);

  await bo.page.click('#close');
  await bo.page.fill('#form-other', 'on its way');
  await bo.page.click('#form-do');
  await cy.finds('#over-words', 'Bo has ended this conversation: on its way.');
  await cy.at('.stars label:nth-of-type(5)').click();
  await cy.at('#rate').click();
  await cy.finds('#rated', 'You gave it 5 of 5.');
  await sue.sees('[data-figure="rating"] dd', '5.0 of 5');
  await sue.sees('[data-figure="closed"] dd', '1');
  await sue.shoots('whole-supervisor');
  await cy.shoots('whole-visitor');
  assert.ok(!(await cy.said()).some((text) => text.includes('printing office')), 'what is noted is the staff’s');
  for (const person of [cy, bo, sue]) await person.leaves();
});
