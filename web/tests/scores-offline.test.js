// The scorer's console without a network: what is scored waits, arrives once, and meets what others have scored meanwhile.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Played, allGo } from './matches.js';
import { browse } from './people.js';
import { Scorer, Viewer } from './scorer.js';
import { Server } from './server.js';
import { Way } from './way.js';

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await browse();
});
after(async () => {
  allGo();
  await browser?.close();
  await server?.end();
});

const enters = (id, name, url = server.url) => Scorer.enters(browser, url, id, name);

test('without a network one scores on, a reload keeps it, and all of it arrives once', async () => {
  const played = await Played.begins(server.url, 'offline');
  const way = await Way.opens(server.port);
  const sam = await enters('offline', 'Sam', way.url);
  const viewer = await Viewer.comes(browser, server.url, 'offline');
  await sam.sees('#pad');
  way.cut();
  await sam.sees('#banner', 'Score on');
  await sam.scores({ raider: 'a01', meets: ['b01', 'b02'] });
  await sam.reads(2, 0);
  await sam.sees('#turn', 'Raid 2: Batur');
  await sam.sees('#flags', 'Bonus open');
  await sam.scores({ raider: 'b03', meets: ['a01'], ends: 'caught' });
  await sam.scores({ raider: 'a02' });
  await sam.reads(3, 0);
  await sam.sees('#waits', '3 wait');
  await sam.sees('#turn', 'Raid 4: Batur');
  await sam.shoots('console-offline');
  await sam.page.click('#waits');
  await sam.sees('#waits-dialog .happened', 'Wayan touches Agung and Ayu.');
  await sam.page.click('#waits-dialog button:has-text("Close")');
  await sam.page.click('#undo');
  await sam.sees('#waits', '2 wait');
  await sam.scores({ raider: 'a03', bonus: false });
  assert.equal((await played.stands()).raidNumber, 1, 'nothing has gone out');
  way.mend();
  await sam.page.reload();
  await sam.isConnected();
  await viewer.reads(3, 0);
  await sam.misses('#waits');
  await sam.reads(3, 0);
  await sam.until(async () => (await played.stands()).raidNumber === 4, 'the last raid is not there');
  const raids = (await played.sheet()).filter(({ raidNumber }) => raidNumber !== undefined);
  assert.deepEqual(raids.map(({ raidNumber, raiderId }) => [raidNumber, raiderId]), [[1, 'a01'], [2, 'b03'], [3, 'a03']]);
  assert.equal(await sam.page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('waiting')).length), 0);
  await sam.leaves();
  await viewer.leaves();
  await way.end();
});

test('kill -9 of the server while one scores loses no raid and scores none twice', async () => {
  const played = await Played.begins(server.url, 'killed');
  const sam = await enters('killed', 'Sam');
  const sides = ['a', 'b'];
  for (let raid = 0; raid < 9; raid += 1) {
    if (raid === 3) await server.kill();
    if (raid === 6) {
      await server.run();
      await sam.comesBack();
    }
    await sam.sees('#turn', `Raid ${raid + 1}:`);
    await sam.scores({ raider: `${sides[raid % 2]}0${1 + (raid % 3)}` });
  }
  await sam.isConnected();
  await sam.misses('#waits');
  await sam.until(async () => (await played.stands()).raidNumber === 10, 'not all raids are there');
  const raids = (await played.sheet()).filter(({ raidNumber }) => raidNumber !== undefined);
  assert.deepEqual(raids.map(({ raidNumber, raiderId }) => `${raidNumber} ${raiderId}`), ['1 a01', '2 b02', '3 a03', '4 b01', '5 a02', '6 b03', '7 a01', '8 b02', '9 a03']);
  await sam.leaves();
});

test('who scored a raid that somebody else has scored too is shown both, and says what stands', async () => {
  const played = await Played.begins(server.url, 'conflict');
  const way = await Way.opens(server.port);
  const [sam, kim] = [await enters('conflict', 'Sam', way.url), await enters('conflict', 'Kim')];
  await sam.sees('#pad');
  await kim.sees('#pad');
  way.cut();
  await sam.sees('#banner', 'Score on');
  await sam.scores({ raider: 'a01', meets: ['b01'] });
  await sam.scores({ raider: 'b02' });
  await sam.scores({ raider: 'a02', meets: ['b03'] });
  await kim.scores({ raider: 'a01', meets: ['b01', 'b02'] });
  await kim.sees('#turn', 'Raid 2');
  await kim.scores({ raider: 'b03' });
  await kim.sees('#turn', 'Raid 3');
  way.mend();
  await sam.comesBack();
  await sam.sees('#conflict', 'Raid 1 was scored by somebody else, too');
  await sam.sees('#conflict', 'Wayan touches Agung.');
  await sam.sees('#conflict', 'Wayan touches Agung and Ayu.');
  await sam.sees('#conflict', '2 more wait behind it');
  await sam.shoots('console-conflict');
  await sam.page.click('#keep');
  await sam.sees('#correct-dialog', 'Correct raid 1');
  await sam.page.fill('#correct-reason', 'One touch only');
  await sam.page.click('#correct-do');
  // The second one is dropped; the third was of a raid that nobody has scored.
  await sam.sees('#conflict', 'Raid 2 was scored by somebody else, too');
  await sam.page.click('#drop');
  for (const one of [sam, kim]) await one.reads(2, 0);
  await sam.misses('#conflict');
  const state = await played.stands();
  assert.deepEqual(state.raidLog.map(({ raiderId, defenderIds }) => [raiderId, defenderIds]), [['a01', ['b01']], ['b03', []], ['a02', ['b03']]]);
  await sam.leaves();
  await kim.leaves();
  await way.end();
});

test('the same raid scored by two is one raid, and nobody is asked', async () => {
  const played = await Played.begins(server.url, 'same');
  const way = await Way.opens(server.port);
  const [sam, kim] = [await enters('same', 'Sam', way.url), await enters('same', 'Kim')];
  await sam.sees('#pad');
  way.cut();
  await sam.sees('#banner', 'Score on');
  for (const one of [sam, kim]) await one.scores({ raider: 'a01', meets: ['b01'] });
  await kim.reads(1, 0);
  way.mend();
  await sam.comesBack();
  await sam.sees('.toast', 'Raid 1 stands already, as you have it.');
  await sam.reads(1, 0);
  await sam.misses('#waits');
  assert.equal((await played.stands()).raidNumber, 2);
  await sam.leaves();
  await kim.leaves();
  await way.end();
});

test('what the rules do not allow is said, and what waits behind it goes on', async () => {
  const played = await Played.begins(server.url, 'refused');
  const way = await Way.opens(server.port);
  const sam = await enters('refused', 'Sam', way.url);
  await sam.sees('#pad');
  way.cut();
  await sam.sees('#banner', 'Score on');
  await sam.scores({ raider: 'a01', meets: ['b01'] });
  await played.says('substitute', { team: 'A', outId: 'a01', inId: 'a08' }).catch(() => {});
  await played.says('start_half');
  await played.says('substitute', { team: 'A', outId: 'a01', inId: 'a08' });
  way.mend();
  await sam.comesBack();
  await sam.sees('#refused', 'The rules do not allow it: Wayan is not on the mat.');
  await sam.page.click('#drop');
  await sam.misses('#refused');
  await sam.scores({ raider: 'a08', meets: ['b01'] });
  await sam.reads(1, 0);
  await sam.leaves();
  await way.end();
});
