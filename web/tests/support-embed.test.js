// The support chat on pages of other sites, by its script tag: what such a page needs, what it learns, and what it cannot do. And
// what becomes of a visitor where the server says no.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Agent } from './agent.js';
import { browse } from './people.js';
import { Server } from './server.js';
import { Visitor } from './visitor.js';

let server, browser, shop, stranger;

/** A site of somebody else: nothing on its page but a button and the tag, and a policy that allows the tag and nothing more. */
class Site {
  static async opens() {
    const site = new Site();
    site.http = createServer((request, response) => {
      const policy = `default-src 'none'; script-src ${server.url}; frame-src ${server.url}; require-trusted-types-for 'script'`;
      response.writeHead(request.url === '/' ? 200 : 204, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy });
      response.end(request.url === '/' ? site.page() : '');
    });
    site.http.listen(0, '127.0.0.1');
    await new Promise((resolve) => site.http.once('listening', resolve));
    site.url = `http://127.0.0.1:${site.http.address().port}`;
    return site;
  }

  page() {
    const tag = `<script src="${server.url}/support/widget.js" data-title="Help desk" data-department="licences=Licences, payments=Payments" async></script>`;
    return `<!doctype html><html lang="en"><title>A shop</title><h1>A shop</h1><button id="first">First</button>${tag}${tag}</html>`;
  }
}

const SECRET = 'for-the-tests-of-the-pages-and-for-nothing-else';
const config = (url) => `secret = "${SECRET}"
operator_listen = "127.0.0.1:0"

[[mounts]]
path = "/ws"

[[mounts]]
path = "/ws/{session}/{user}/{type}"
protocol = "livechat"
allowed_origins = ["${shop.url}"]

[support]
silence = "1m"
warning = "50s"
reopen = "0s"

[[support.departments]]
name = "licences"

[[support.departments]]
name = "payments"

[limits]
exempt_addresses = []
`;

before(async () => {
  [shop, stranger] = [await Site.opens(), await Site.opens()];
  server = await Server.start({ config });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.end();
  for (const site of [shop, stranger]) site?.http.close();
});

async function ada(department) {
  const token = await server.token('ada', 'Ada', '--role', 'agent', '--groups', department);
  const agent = await Agent.comes(browser, server.url, token, department);
  await agent.is('online');
  return agent;
}

test('a page of an origin that is allowed has the window, in the department that was chosen, and learns nothing of the key', async () => {
  const cy = await Visitor.comes(browser, shop.url);
  assert.equal(await cy.page.locator('kulkul-support').count(), 1, 'the tag stands there twice');
  await cy.opensWindow();
  await cy.finds('#title', 'Help desk');
  await cy.inside.locator('#department').selectOption({ label: 'Payments' });
  await cy.starts('I have paid twice.');
  await cy.shoots('support-shop');
  const agent = await ada('payments');
  await cy.finds('#status', 'Ada is with you');
  const { token } = (await cy.kept()).sessions[0];
  const known = await cy.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.documentElement.outerHTML, document.querySelector('kulkul-support').shadowRoot.innerHTML]));
  assert.ok(token.length > 40 && !known.includes(token) && !known.includes('eyJ'), known);
  assert.deepEqual(await cy.page.evaluate(() => Object.keys(window).filter((name) => /kulkul/i.test(name))), ['KulkulSupport']);
  await agent.is('offline');
  await agent.leaves();
  await cy.leaves();
});

test('only the frame is heard by the page, and only the page by the frame', async () => {
  const cy = await Visitor.comes(browser, shop.url);
  await cy.begins('Hello');
  const agent = await ada('licences');
  await cy.finds('#status', 'Ada is with you');
  await cy.page.evaluate(() => {
    for (const forged of [{ does: 'unread', count: 9 }, { does: 'close' }]) postMessage({ kulkul: 'support', ...forged }, '*');
    document.body.append(Object.assign(document.createElement('iframe'), { name: 'other' }));
  });
  // Another frame of the page, of the page's own origin, speaks as the page would.
  await cy.page.frame({ name: 'other' }).evaluate(() => {
    const { contentWindow } = parent.document.querySelector('kulkul-support').shadowRoot.querySelector('iframe');
    contentWindow.postMessage({ kulkul: 'support', does: 'closed' }, '*');
  });
  const id = await cy.session();
  await agent.says(id, 'Do you see this?');
  await cy.stored('Do you see this?');
  // Had the window believed that it is closed, nobody would have read it.
  await agent.seesRead(id);
  assert.deepEqual(await cy.page.evaluate(() => [window.KulkulSupport.isOpen, window.KulkulSupport.unread]), [true, 0]);
  await agent.is('offline');
  await agent.leaves();
  await cy.leaves();
});

test('a page of another origin is told that the chat does not open there, and led to where it does', async () => {
  const cy = await Visitor.comes(browser, stranger.url);
  await cy.launcher.click();
  await cy.sees('kulkul-support .refused', 'The chat does not open on this page.');
  await cy.shoots('support-stranger');
  const [alone] = await Promise.all([cy.context.waitForEvent('page'), cy.page.click('kulkul-support .refused a')]);
  await alone.locator('#begin').waitFor();
  assert.equal(await alone.locator('#title').textContent(), 'Help desk');
  assert.equal(await alone.locator('#shut').isVisible(), false, 'there is no page around it');
  await alone.close();
  await cy.page.click('kulkul-support .refused button');
  await cy.page.locator('kulkul-support .panel').waitFor({ state: 'hidden' });
  assert.ok(cy.complaints.every((one) => /frame-ancestors/.test(one)), cy.complaints.join('\n'));
  await cy.context.close();
});

test('by keys alone: to the button, through the form, and back to where one was', async () => {
  const cy = await Visitor.comes(browser, shop.url);
  const { page } = cy;
  await page.focus('#first');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.localName), 'kulkul-support');
  await page.keyboard.press('Enter');
  const focused = (id) => cy.until(() => cy.frame()?.evaluate((id) => document.hasFocus() && document.activeElement?.id === id, id).catch(() => false) ?? false, `${id} has not the focus`);
  await cy.finds('#begin');
  await focused('topic');
  await page.keyboard.type('Opening hours');
  await page.keyboard.press('Tab');
  await focused('name');
  await page.keyboard.press('Tab');
  await page.keyboard.type('When do you open?');
  await page.keyboard.press('Tab');
  await focused('begin-do');
  await page.keyboard.press('Enter');
  await cy.stored('When do you open?');
  await focused('say');
  await page.keyboard.type('Tomorrow, I mean.');
  await page.keyboard.press('Enter');
  await cy.stored('Tomorrow, I mean.');
  await cy.at('#more').focus();
  await page.keyboard.press('Enter');
  await cy.finds('#menu');
  await page.keyboard.press('Escape');
  await cy.loses('#menu');
  await cy.finds('#talk');
  await page.keyboard.press('Escape');
  await page.locator('kulkul-support .panel').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.className), 'launch');
  await page.evaluate(() => {
    document.querySelector('#first').focus();
    window.KulkulSupport.open();
  });
  await focused('say');
  await page.keyboard.press('Escape');
  await cy.until(() => page.evaluate(() => document.activeElement?.id === 'first'), 'the focus did not come back');
  await cy.leaves();
});

test('on a telephone the window is the whole screen', async () => {
  const cy = await Visitor.comes(browser, shop.url, 'Cy', { viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true });
  await cy.opensWindow();
  assert.deepEqual(await cy.page.locator('kulkul-support .panel').boundingBox(), { x: 0, y: 0, width: 390, height: 844 });
  assert.equal(await cy.launcher.isVisible(), false);
  await cy.starts('From afar');
  await cy.shoots('support-phone-dark');
  await cy.closesWindow();
  await cy.launcher.waitFor();
  await cy.leaves();
});

test('whoever says nothing is warned, and says that they are there; what is over stays over where nothing reopens', async () => {
  const cy = await Visitor.comes(browser, shop.url);
  await cy.begins('Hello');
  const agent = await ada('licences');
  await cy.finds('#status', 'Ada is with you');
  const id = await cy.session();
  await agent.says(id, 'What is it about?');
  await cy.finds('#warned', 'This conversation ends in');
  await cy.finds('.line', 'This chat ends soon if nothing is said.');
  await cy.shoots('support-warned');
  await cy.at('#still-here').click();
  await cy.loses('#warned');
  await agent.does(id, 'close');
  await cy.at('#reopen').click();
  await cy.finds('.toast', 'It is too late to continue this one.');
  await cy.loses('#reopen');
  await agent.is('offline');
  await agent.leaves();
  await cy.leaves();
});

test('who cannot begin is told why and when, and keeps what they wrote', async () => {
  const cy = await Visitor.comes(browser, shop.url);
  await cy.opensWindow();
  await cy.at('#begin-do').click();
  await cy.finds('#begin-trouble', 'Write a message first');
  await cy.inside.locator('#first').fill('Let me in');
  const starts = async () => (await fetch(`${server.url}/api/chat/start`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).status;
  await cy.page.route('**/api/chat/start', async (route) => {
    // All are used up, and so is the next one, a moment before: until another is there the visitor has come.
    while ((await starts()) !== 429);
    while ((await starts()) !== 201);
    await route.continue();
  });
  await cy.at('#begin-do').click();
  await cy.finds('#begin-trouble', /Too many conversations were begun from where you are\. Try again in \d+ /);
  await cy.shoots('support-too-many');
  await cy.page.unroute('**/api/chat/start');
  await server.kill();
  await cy.at('#begin-do').click();
  await cy.finds('#begin-trouble', 'The server does not answer. What you wrote stays here');
  assert.equal(await cy.inside.locator('#first').inputValue(), 'Let me in');
  await server.run();
  await cy.at('#begin-do').click();
  await cy.stored('Let me in');
  cy.complaints = cy.complaints.filter((one) => !/429/.test(one));
  await cy.leaves();
});
