// What a page may do: nothing but our own files and our own sockets, and nothing that was slipped into it.

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

const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'frame-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'self'",
  'frame-ancestors': "'none'",
};

/** The one page that pages of other sites may have within theirs: in demo mode those on this machine. */
const EMBEDDED = { ...POLICY, 'frame-ancestors': "'self' http://127.0.0.1:* http://localhost:*" };

test('every file comes with the policy, a tag and its kind', async () => {
  const paths = ['/', '/chat/', '/support/', '/kulkul.css', '/chat/chat.js', '/client/index.js', '/support/widget.js', '/support/widget/visitor.js'];
  for (const path of [...paths, '/support/widget/']) {
    const response = await fetch(server.url + path);
    assert.equal(response.status, 200, path);
    const said = response.headers.get('content-security-policy').split(';').map((rule) => rule.trim().split(/ (.*)/));
    assert.deepEqual(Object.fromEntries(said.map(([name, value]) => [name, value])), path === '/support/widget/' ? EMBEDDED : POLICY, path);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    const tag = response.headers.get('etag');
    const again = await fetch(server.url + path, { headers: { 'If-None-Match': tag } });
    assert.equal(again.status, 304, path);
  }
  for (const folder of ['/chat', '/support', '/support/widget']) {
    const moved = await fetch(server.url + folder, { redirect: 'manual' });
    assert.equal(moved.status, 308);
    assert.equal(new URL(moved.headers.get('location'), server.url + folder).pathname, `${folder}/`);
  }
});

test('what is slipped into the page does not run, and leads nowhere', async () => {
  const ana = await Person.enters(browser, server.url, 'Ana');
  await ana.isIn();
  const { page } = ana;
  assert.deepEqual(await page.evaluate(() => window.violations), [], 'the page itself needs none of it');
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.harm = 1';
    document.body.append(script);
    const style = document.createElement('style');
    style.textContent = 'body { display: none }';
    document.body.append(style);
    const image = document.createElement('img');
    image.setAttribute('onerror', 'window.harm = 2');
    image.src = 'http://127.0.0.1:9/x.png';
    document.body.append(image);
  });
  const seen = (what) => ana.until(() => page.evaluate((word) => window.violations.some((one) => one.startsWith(word)), what), `${what} was not refused`);
  for (const what of ['script-src-elem', 'style-src-elem', 'script-src-attr', 'img-src']) await seen(what);
  assert.equal(await page.evaluate(() => fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')), 'refused');
  await seen('connect-src');
  assert.equal(await page.evaluate(() => window.harm), undefined);
  await ana.sees('#say');
  await ana.context.close();
});

test('the start page links the chat and shows the node', async () => {
  const ana = await Person.opens(browser, `${server.url}/`);
  await ana.until(() => ana.page.locator('#figures').getAttribute('data-stale').then((stale) => stale === 'false'), 'the figures never come');
  assert.match(await ana.page.locator('#connections').textContent(), /^\d+$/);
  await ana.shoots('start');
  await ana.page.setViewportSize({ width: 390, height: 844 });
  await ana.shoots('start-phone');
  await ana.page.click('.demo[href="chat/"]');
  await ana.sees('#door');
  await ana.page.goBack();
  await ana.page.click('.demo[href="support/"]');
  await ana.sees('#try-title', 'Try both sides');
  await ana.page.locator('kulkul-support button.launch').waitFor();
  await ana.leaves();
});
