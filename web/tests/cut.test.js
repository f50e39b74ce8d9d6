// Cuts: the server killed, the network gone, the person's own wish. What was said meanwhile is there afterwards, in its place, once.

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

const enters = (name, at) => Person.enters(browser, server.url, name, { at });

test('a cut by own wish: what one writes waits, and what was missed comes in its place', async () => {
  const [ana, bo] = [await enters('Ana', '#wish'), await enters('Bo', '#wish')];
  await ana.tells('Before');
  await bo.hears('Before');
  await bo.page.click('#cut');
  await bo.sees('#banner', 'by your own wish');
  await bo.sees('#status', 'Offline');
  await bo.says('Written offline');
  await bo.sees('.pending .delivery', 'waits for the connection…');
  await bo.shoots('offline');
  for (const text of ['Meanwhile 1', 'Meanwhile 2', 'Meanwhile 3']) await ana.tells(text);
  await bo.sees('#here-title', 'Here before the cut');
  await bo.page.click('#cut');
  await bo.hears('Written offline');
  await ana.hears('Written offline');
  await bo.misses('#banner');
  const expected = ['Before', 'Meanwhile 1', 'Meanwhile 2', 'Meanwhile 3', 'Written offline'];
  assert.deepEqual(await bo.texts(), expected);
  assert.deepEqual(await ana.texts(), expected);
  await ana.leaves();
  await bo.leaves();
});

test('the network goes and comes back', async () => {
  const [ana, bo] = [await enters('Ana', '#network'), await enters('Bo', '#network')];
  await ana.tells('Before');
  await bo.hears('Before');
  await bo.page.click('#cut');
  await bo.context.setOffline(true);
  await bo.page.click('#cut');
  await bo.sees('#banner', 'No connection. Trying again');
  await bo.sees('#banner-do', 'Try now');
  await bo.shoots('no-connection');
  await bo.says('Written without a network');
  await ana.tells('Meanwhile');
  await bo.context.setOffline(false);
  await bo.hears('Written without a network');
  assert.deepEqual(await bo.texts(), ['Before', 'Meanwhile', 'Written without a network']);
  await ana.hears('Written without a network');
  assert.deepEqual(await ana.texts(), await bo.texts());
  await ana.leaves();
  await bo.leaves();
});

test('kill -9 of the server while two people talk loses nothing and repeats nothing', async () => {
  const [ana, bo] = [await enters('Ana', '#killed'), await enters('Bo', '#killed')];
  await ana.isIn();
  await bo.isIn();
  const said = [];
  for (let round = 1; round <= 3; round += 1) {
    for (let number = 1; number <= 10; number += 1) {
      for (const person of [ana, bo]) {
        const text = `${person.name} ${round}.${number}.`;
        said.push(text);
        await person.says(text);
      }
      // In the middle of it: some are stored, some are on their way, some are still to be written.
      if (number === 5) await server.kill();
    }
    await ana.sees('#banner', 'No connection');
    if (round === 1) await ana.shoots('killed');
    await server.run();
    for (const person of [ana, bo]) {
      await person.comesBack();
      await person.isConnected();
      await person.hears(`Ana ${round}.10.`);
      await person.hears(`Bo ${round}.10.`);
      await person.misses('.pending');
    }
  }
  const texts = await ana.texts();
  assert.deepEqual(await bo.texts(), texts, 'one order for both');
  assert.deepEqual([...texts].sort(), [...said].sort(), 'each once');
  for (const name of ['Ana', 'Bo']) {
    const own = (all) => all.filter((text) => text.startsWith(name));
    assert.deepEqual(own(texts), own(said), 'each in the order in which it was written');
  }
  await ana.leaves();
  await bo.leaves();
});

test('who looks elsewhere sees where the new begins', async () => {
  const [ana, bo] = [await enters('Ana', '#line'), await enters('Bo', '#line')];
  await ana.tells('Read');
  await bo.hears('Read');
  await bo.goes('random');
  await ana.tells('Not read 1');
  await ana.tells('Not read 2');
  await bo.sees('a[data-room="line"] .badge', '2');
  await bo.page.click('a[data-room="line"]');
  await bo.sees('.line.new', 'New since you were here');
  const after = await bo.page.locator('.line.new + .message .text').textContent();
  assert.equal(after, 'Not read 1');
  await bo.shoots('new-line');
  await ana.leaves();
  await bo.leaves();
});
