// The door without demo mode, and what is said when the server does not want one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Person, browse } from './people.js';
import { Server } from './server.js';

let server, browser;
const SECRET = 'for-the-tests-of-the-pages-and-for-nothing-else';
before(async () => {
  server = await Server.start({ config: `secret = "${SECRET}"\noperator_listen = "127.0.0.1:0"\n[[mounts]]\npath = "/ws"\none_per_user = true\n` });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.end();
});

/** Whoever has a token puts it in. */
async function enters(user, name) {
  const person = await Person.opens(browser, `${server.url}/chat/`);
  await person.page.fill('#name', name);
  await person.page.click('#door button');
  await person.sees('#key', 'This server gives no tokens away');
  await person.page.fill('#token', await server.token(user, name));
  await person.page.click('#key button');
  await person.isConnected();
  return person;
}

test('without demo mode a token is asked for, and one that is none is told', async () => {
  const ana = await Person.opens(browser, `${server.url}/chat/`);
  await ana.page.fill('#name', 'Ana');
  await ana.page.click('#door button');
  await ana.page.fill('#token', 'nonsense');
  await ana.page.click('#key button');
  await ana.sees('#door-trouble', 'That is no token');
  await ana.shoots('key');
  await ana.leaves();
});

test('a token of another server: the page says so, and leads back to the door', async () => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: '7', name: 'Ana', exp: Math.floor(Date.now() / 1000) + 3600 })}.c2lnbmF0dXJl`;
  const ana = await Person.opens(browser, `${server.url}/chat/`);
  await ana.page.fill('#name', 'Ana');
  await ana.page.click('#door button');
  await ana.page.fill('#token', token);
  await ana.page.click('#key button');
  await ana.sees('#banner', 'Your token has ended. Enter anew.');
  await ana.shoots('refused');
  await ana.page.click('#banner-do');
  await ana.sees('#door');
  await ana.leaves();
});

test('a newer window puts the older one out, which says so and can take over', async () => {
  const first = await enters('7', 'Ana');
  await first.tells('Here');
  const second = await enters('7', 'Ana');
  await first.sees('#banner', 'You are here in a newer window');
  await first.shoots('replaced');
  await second.hears('Here');
  await first.page.click('#banner-do');
  await first.isConnected();
  await second.sees('#banner', 'You are here in a newer window');
  assert.equal(await second.page.locator('#banner-do').textContent(), 'Use this window');
  await first.leaves();
  await second.leaves();
});

test('a server that does not answer is told at the door', async () => {
  const other = await Server.start();
  const ana = await Person.opens(browser, `${other.url}/chat/`);
  await other.kill();
  await ana.page.fill('#name', 'Ana');
  await ana.page.click('#door button');
  await ana.sees('#door-trouble', 'The server does not answer. Start it, then enter again.');
  await ana.leaves();
  await other.end();
});
