// The scorer's console: several at one match, by keys alone, and back in the past.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Played, allGo } from './matches.js';
import { browse } from './people.js';
import { Scorer, Viewer } from './scorer.js';
import { Server } from './server.js';

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

const enters = (id, name) => Scorer.enters(browser, server.url, id, name);

test('two consoles and a viewer see one match', async () => {
  await Played.begins(server.url, 'two');
  const [sam, kim] = [await enters('two', 'Sam'), await enters('two', 'Kim')];
  const viewer = await Viewer.comes(browser, server.url, 'two');
  await sam.sees('#turn', 'Raid 1: Uluwatu');
  await sam.sees('#flags .flag', 'Bonus open');
  await sam.page.click('#raiders [data-player="a03"]');
  await sam.page.click('#go');
  await kim.sees('#turn', 'Nyoman for Uluwatu');
  await viewer.sees('.mat .raids');
  await viewer.sees('#raid-clock', /^(30|29|28|27|26|25)$/);
  await sam.page.click('#defenders [data-player="b02"]');
  await sam.page.click('#defenders [data-player="b03"]');
  await sam.page.click('#bonus');
  await sam.sees('#home .gain', '+3');
  await sam.sees('#caught .gain', '+1, +1 to them');
  await sam.shoots('console-raid');
  await sam.page.click('#home');
  for (const one of [sam, kim, viewer]) await one.reads(3, 0);
  await kim.sees('.toast', 'Nyoman touches Ayu and Bagus and takes the bonus: super raid.');
  await kim.scores({ raider: 'b01', meets: ['a01', 'a02'], ends: 'caught' });
  for (const one of [sam, kim, viewer]) await one.reads(4, 0);
  await viewer.sees('#story .happened', 'Agung is caught by Wayan and Made.');
  await viewer.sees('#awards', 'Nyoman 3 points');
  await viewer.sees('.queue', 'Batur: out, next back first');
  assert.deepEqual(await viewer.page.locator('.queue .chip-shirt.teamB span').allTextContents(), ['Ayu', 'Bagus', 'Agung']);
  assert.match(await viewer.page.locator('svg.mat').getAttribute('aria-label'), /Uluwatu: 7 on the mat, 1 Wayan.*Batur: 4 on the mat/);
  assert.match(await viewer.page.locator('#score-heard').textContent(), /Uluwatu 4, Batur 0\. First half\./);
  await viewer.shoots('viewer-live');
  for (const one of [sam, kim, viewer]) await one.leaves();
});

test('a raid is undone and corrected from the other console, and what that breaks is said before', async () => {
  const played = await Played.begins(server.url, 'past');
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b01', 'b02'], raidNumber: 1 });
  await played.says('raid', { raiderId: 'b03', raidNumber: 2 });
  await played.says('raid', { raiderId: 'a01', touchedIds: ['b04'], raidNumber: 3 });
  const [sam, kim] = [await enters('past', 'Sam'), await enters('past', 'Kim')];
  await sam.reads(3, 0);
  await kim.scores({ raider: 'b05', meets: [], ends: 'home' });
  await sam.sees('#last-words', 'Indra comes home empty.');
  await sam.page.click('#undo');
  await sam.sees('.toast', 'Undone: Indra comes home empty.');
  await kim.sees('#turn', 'Raid 4: Batur');
  await sam.page.click('#undo');
  await kim.reads(2, 0);
  await kim.page.click('#history');
  await kim.sees('#history-dialog .happened.void', 'Wayan touches Dewi.');
  await kim.sees('#history-dialog .happened', 'undone by Sam');
  await kim.page.locator('#history-dialog .happened.void button', { hasText: 'Bring back' }).last().click();
  await sam.reads(3, 0);
  // Raid 1 as a catch: then Agung and Ayu were never out, and Wayan was not there to raid again.
  await kim.page.locator('#history-dialog .happened', { hasText: 'Wayan touches Agung and Ayu.' }).locator('[data-correct]').click();
  await kim.page.selectOption('#correct-how', 'caught');
  await kim.shoots('console-correct');
  await kim.page.fill('#correct-reason', 'Seen on video');
  await kim.page.click('#correct-do');
  await kim.sees('#breaks-dialog', 'Wayan is not on the mat');
  await kim.shoots('console-breaks');
  await kim.page.click('#breaks-dialog button:has-text("Leave it as it was")');
  await kim.misses('#breaks-dialog');
  await kim.page.click('#correct-do');
  await kim.page.click('#force');
  await kim.misses('#correct-dialog');
  await kim.sees('#history-dialog .happened.void', 'Set aside');
  await kim.sees('#history-dialog .happened', 'corrected by Kim');
  await kim.page.click('#history-dialog button:has-text("Close")');
  for (const one of [sam, kim]) await one.reads(0, 1);
  assert.deepEqual((await played.sheet()).filter(({ aside }) => aside !== undefined).map(({ number }) => number), [6]);
  await sam.leaves();
  await kim.leaves();
});

test('the second layer: technical, card, substitution, time-out, review, clock, half', async () => {
  const played = await Played.begins(server.url, 'more');
  await played.says('start_half');
  const sam = await enters('more', 'Sam');
  await sam.sees('#pad');
  const chooses = async (words) => {
    await sam.page.click('#more');
    await sam.page.locator('#more-dialog button', { hasText: words }).click();
  };
  await chooses('Technical point: Batur');
  await sam.page.fill('#form-reason', 'Late');
  await sam.page.selectOption('#form-turn', 'lost');
  await sam.page.click('#form-do');
  await sam.reads(0, 1);
  await sam.sees('#turn', 'Raid 2: Batur');
  await chooses('Card…');
  await sam.page.selectOption('#form-player', 'b02');
  await sam.page.selectOption('#form-card', 'yellow');
  await sam.page.click('#form-do');
  await sam.sees('#last-words', 'Yellow card for Ayu: two minutes.');
  await sam.misses('#raiders [data-player="b02"]');
  await chooses('Substitution: Batur');
  await sam.page.selectOption('#form-out', 'b03');
  await sam.page.selectOption('#form-in', 'b08');
  await sam.page.click('#form-do');
  await sam.sees('#raiders [data-player="b08"]');
  await chooses('Time-out: Uluwatu (1 left)');
  await sam.sees('#flags .flag', 'Time-out Uluwatu');
  await chooses('End the time-out');
  await sam.misses('#flags .flag', 'Time-out');
  await chooses('Review: Batur (1 left)');
  await sam.sees('#flags .flag', 'Review, Batur');
  await chooses('Review turned down');
  await sam.misses('#flags .flag', 'Review');
  await chooses('Set the clock…');
  await sam.page.fill('#form-left', '3:30');
  await sam.page.click('#form-do');
  await sam.sees('#half-clock', '3:30');
  await chooses('End the half');
  await sam.sees('#phase', 'Half-time');
  await sam.shoots('console-half-time');
  await sam.page.click('#start-half');
  await sam.sees('#turn', 'Raid 2: Batur');
  const { teamA, teamB, phase, playerStats } = await played.stands();
  assert.deepEqual([phase, teamA.timeOutsLeft, teamB.reviewsLeft, teamB.substitutionsLeft, playerStats.b02.status], ['second_half', 0, 0, 4, 'suspended']);
  await chooses('End it before its time…');
  await sam.page.selectOption('#form-reason', 'forfeit');
  await sam.page.selectOption('#form-winner', 'A');
  await sam.page.click('#form-do');
  await sam.sees('#stage', 'Uluwatu win by forfeit');
  await sam.leaves();
});

test('who is carded in a tie-break is replaced, and a golden raid begins where it is awaited', async () => {
  const played = await Played.begins(server.url, 'level', { knockout: true });
  for (const word of ['start_half', 'end_half', 'start_half', 'end_half']) await played.says(word);
  const five = (prefix) => [1, 2, 3, 4, 5].map((number) => `${prefix}0${number}`);
  await played.says('name_tie_raiders', { team: 'A', playerIds: five('a') });
  await played.says('name_tie_raiders', { team: 'B', playerIds: five('b') });
  await played.says('start_tie_break');
  await played.says('card', { playerId: 'a01', card: 'red' });
  const sam = await enters('level', 'Sam');
  await sam.sees('#step-title', 'Who raids instead?');
  await sam.page.locator('.setup-card.teamA .pick[aria-pressed="false"]').first().click();
  await sam.page.click('.setup-card.teamA button[type="submit"]');
  await sam.sees('#pad-hint');
  assert.deepEqual((await played.stands()).teamA.tieRaiderIds, ['a02', 'a03', 'a04', 'a05', 'a06']);
  await sam.leaves();

  const golden = await Played.begins(server.url, 'golden', { profile: 'raidx', knockout: true });
  await golden.says('start_half');
  await golden.says('end_half');
  const kim = await enters('golden', 'Kim');
  await kim.sees('#step-title', 'Golden raid');
  await kim.page.click('.tosses .teamB');
  await kim.sees('#pad-hint');
  const { phase, raidingTeam, actions } = await golden.stands();
  assert.deepEqual([phase, raidingTeam, actions], ['golden_raid', 'teamB', 6]);
  await kim.leaves();
});

test('the keyboard alone: enter, line-ups, the toss, a raid, an undo', async () => {
  await Played.created(server.url, 'keys');
  const sam = Object.assign(new Scorer(), await Scorer.opens(browser, `${server.url}/scores/console/?id=keys`), { name: 'Sam' });
  const { page } = sam;
  const keys = async (...pressed) => {
    for (const key of pressed) await page.keyboard.press(key);
  };
  await page.locator('#name:focus').waitFor();
  await page.keyboard.type('Sam');
  await keys('Enter');
  await sam.sees('#first-seven');
  const focus = async (selector) => {
    for (let step = 0; step < 80; step += 1) {
      if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
      await keys('Tab');
    }
    assert.fail(`the tabulator does not reach ${selector}`);
  };
  await focus('#first-seven');
  await keys('Enter');
  await sam.sees('.setup .tag-chip', 'named');
  await sam.until(async () => (await page.locator('.setup .tag-chip').count()) === 2, 'both are not named');
  await focus('[data-toss="teamB raid"]');
  await keys('Enter');
  await sam.sees('#turn', 'Raid 1: Batur');
  await keys('w', 'g');
  await sam.sees('#go', 'The raid is on');
  await sam.sees('#turn', 'Ayu for Batur');
  await keys('1', '3', '3', 'b');
  assert.deepEqual(await page.locator('#defenders .pick[aria-pressed="true"] .state').allTextContents(), ['in it', 'stepped out']);
  await keys('s');
  await sam.reads(0, 3);
  await keys('q', 'o');
  await sam.sees('#menu .entry', 'Out of bounds');
  await keys('Enter');
  await sam.reads(0, 4);
  await keys('z');
  await sam.reads(0, 3);
  await keys('q', '2', 'c');
  await sam.reads(0, 4);
  await keys('?');
  await sam.sees('#keys-dialog', 'A defender: once in it, twice stepped out');
  await keys('Escape', 'h');
  await sam.sees('#history-dialog');
  await keys('Escape', 'm');
  await sam.sees('#more-dialog');
  await keys('Escape');
  await focus('#undo');
  assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'the focus can be seen');
  await sam.leaves();
});
