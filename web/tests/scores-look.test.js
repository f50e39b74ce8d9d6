// How the pages of live scoring look: on a phone held either way, by day and by night, to whoever listens; and what they may do.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faint, unmade, unnamed } from './made.js';
import { Played, allGo } from './matches.js';
import { Person, browse } from './people.js';
import { Server } from './server.js';

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await browse();
  const played = await Played.begins(server.url, 'look', { title: 'Uluwatu v Batur, the first of three on this day' });
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b01', 'b02'], bonus: true });
  await played.says('raid', { raiderId: 'b03', tacklerIds: ['a02', 'a03'] });
  await played.says('card', { playerId: 'a05', card: 'yellow' });
  await played.says('raid', { raiderId: 'a04' });
  await played.says('start_raid', { raiderId: 'b04' });
});
after(async () => {
  allGo();
  await browser?.close();
  await server?.end();
});

const PAGES = [
  { name: 'list', path: '/scores/', shows: '.fixture' },
  { name: 'viewer', path: '/scores/match/?id=look', shows: '#story .happened' },
  { name: 'console', path: '/scores/console/?id=look', door: true, shows: '#pad' },
  { name: 'organize', path: '/scores/organize/', door: true, shows: '#create-form' },
  { name: 'organized', path: '/scores/organize/?id=look', door: true, shows: '#links' },
  { name: 'sheet', path: '/scores/sheet/?id=look', shows: '#rows tr' },
];
const SIZES = [
  { size: 'wide', viewport: { width: 1280, height: 800 } }, { size: 'phone', viewport: { width: 390, height: 844 } }, { size: 'across', viewport: { width: 844, height: 390 } },
];

for (const { name, path, door, shows } of PAGES) {
  test(`${name}: nothing sticks out, all can be read and has a name, by day and by night, on every size`, async () => {
    for (const { size, viewport } of SIZES) {
      const isPhone = size !== 'wide';
      const one = await Person.opens(browser, `${server.url}${path}`, { viewport, hasTouch: isPhone, isMobile: isPhone, reducedMotion: 'reduce' });
      if (door) {
        assert.deepEqual(await one.page.evaluate(unnamed), [], `${size}: the door`);
        await one.page.fill('#name', 'Sam');
        await one.page.click('#door button');
      }
      await one.sees(shows);
      for (const colorScheme of ['light', 'dark']) {
        await one.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await one.shoots(`look-${name}-${size}-${colorScheme}`);
        assert.deepEqual(await one.page.evaluate(faint), [], `${size}, ${colorScheme}`);
      }
      assert.deepEqual(await one.page.evaluate(unmade, isPhone ? 44 : 0), [], size);
      assert.deepEqual(await one.page.evaluate(unnamed), [], size);
      await one.leaves();
    }
  });
}

test('on a phone all that a raid takes is 48 px high at least, and a raid fits onto the screen', async () => {
  for (const viewport of [{ width: 390, height: 844 }, { width: 844, height: 390 }]) {
    const sam = await Person.opens(browser, `${server.url}/scores/console/?id=look`, { viewport, hasTouch: true, isMobile: true });
    await sam.page.fill('#name', 'Sam');
    await sam.page.click('#door button');
    await sam.sees('#pad');
    const sizes = await sam.page.evaluate(() => [...document.querySelectorAll('#pad button, #undo, #history, #more')].map((element) => ({ name: element.textContent, ...element.getBoundingClientRect().toJSON() })));
    assert.ok(sizes.length > 14, 'there are buttons');
    for (const { name, width, height } of sizes) assert.ok(width >= 48 && height >= 48, `${name} is ${width} by ${height}`);
    const lowest = Math.max(...sizes.map(({ bottom }) => bottom));
    assert.ok(lowest <= viewport.height, `the lowest ends at ${lowest} of ${viewport.height}`);
    await sam.leaves();
  }
});

test('every page comes with the policy, and needs nothing beyond it', async () => {
  for (const path of ['/scores/', '/scores/match/', '/scores/console/', '/scores/organize/', '/scores/overlay/', '/scores/sheet/', '/scores/match.js']) {
    const response = await fetch(server.url + path);
    assert.equal(response.status, 200, path);
    assert.match(response.headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/, path);
    const text = await response.text();
    assert.doesNotMatch(text, /<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+="/, path);
  }
  for (const [folder, to] of [['/scores', '/scores/'], ['/scores/match', '/scores/match/'], ['/scores/console', '/scores/console/']]) {
    const moved = await fetch(server.url + folder, { redirect: 'manual' });
    assert.equal(new URL(moved.headers.get('location'), server.url + folder).pathname, to);
  }
});
