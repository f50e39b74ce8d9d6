// What the pages of live scoring work out by themselves, without a page: squads as they are typed, clocks, what waits, sheets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Skew, asMs, halfLeft, minutes, nextRaidLeft, raidLeft } from '../scores/clock.js';
import { csv, rows, sums } from '../scores/csv.js';
import { Match } from '../scores/match.js';
import { ITEMS_MAX, Queue, isSame } from '../scores/queue.js';
import { READY, squadOf, textOf } from '../scores/squads.js';
import { broken, ofAction, ofLine } from '../scores/words.js';

test('a squad is a name a line, with its number before or behind it or nowhere', () => {
  for (const [line, name, number] of [
    ['7 Asha', 'Asha', 7], ['7. Asha Devi', 'Asha Devi', 7], ['Asha, 7', 'Asha', 7], ['#07 Asha', 'Asha', 7], ['Asha (7)', 'Asha', 7], ['No. 12 - Asha', 'Asha', 12],
    ['Asha', 'Asha', undefined], ['0 Asha', 'Asha', 0], ['  Asha\tDevi  ', 'Asha\tDevi', undefined],
  ]) {
    const [player] = squadOf(line, 'a').players;
    assert.deepEqual([player.name, player.number], [name, number], line);
  }
  const squad = squadOf('1 A (c)\n2 B (VC)\n\n3 C\n4 D\n5 E\n6 F\n7 G\n', 'b');
  assert.deepEqual([squad.players.length, squad.captainId, squad.viceCaptainId, squad.faults], [7, 'b01', 'b02', []]);
  assert.match(squadOf('A\nB', 'a').faults[0], /2 players: a squad has 7 to 12, so 5 more/);
  assert.match(squadOf('1 A\n1 B\n2 C\n3 D\n4 E\n5 F\n6 G', 'a').faults.join(), /B: the number 1 stands twice/);
  assert.match(squadOf(Array.from({ length: 13 }, (_, at) => `P${at}`).join('\n').replaceAll('P', 'p '), 'a').faults.join(), /at most 12/);
  for (const { text } of Object.values(READY)) {
    const { players, captainId, viceCaptainId, faults } = squadOf(text, 'a');
    assert.deepEqual(faults, []);
    const marked = players.map((player) => ({ ...player, isCaptain: player.id === captainId, isViceCaptain: player.id === viceCaptainId }));
    assert.equal(textOf({ players: marked }), text);
  }
});

test('clocks run on from what was told of them, by the time of the server', () => {
  const since = '2026-01-01T10:00:00.000Z';
  const at = Date.parse(since);
  assert.equal(halfLeft({ running: true, remainingMs: 60_000, since }, at + 5_000), 55_000);
  assert.equal(halfLeft({ running: false, remainingMs: 60_000, since: null }, at + 5_000), 60_000);
  assert.equal(halfLeft({ running: true, remainingMs: 1_000, since }, at + 5_000), 0);
  assert.equal(halfLeft({ running: true, remainingMs: null, since }, at), null);
  assert.equal(raidLeft({ raid: { since, lengthMs: 30_000, pausedAfterMs: null } }, at + 12_000), 18_000);
  assert.equal(raidLeft({ raid: { since, lengthMs: 30_000, pausedAfterMs: 4_000 } }, at + 12_000), 26_000);
  assert.equal(raidLeft({ raid: { since, lengthMs: 30_000, pausedAfterMs: null } }, at - 400), 30_000, 'a raid does not begin with more');
  assert.equal(raidLeft({ raid: null }, at), null);
  assert.equal(nextRaidLeft({ nextRaidBy: since, raid: null }, at + 1), 0);
  const skew = new Skew();
  skew.answered(since, at + 3_600_000 + 80);
  skew.hear(since, at + 3_600_000 + 20);
  skew.hear('2026-01-01T09:00:00.000Z', at + 3_600_000);
  assert.equal(skew.at(at + 3_600_020), at, 'what came fastest is nearest, what is old says nothing');
  for (const [text, ms] of [['7:30', 450_000], ['7', 420_000], ['7.5', 450_000], ['0:05', 5_000], ['7:61', null], ['soon', null], ['', null]]) assert.equal(asMs(text), ms, text);
  for (const [ms, text] of [[450_000, '7:30'], [449_001, '7:30'], [0, '0:00'], [null, '']]) assert.equal(minutes(ms), text);
});

/** Storage as a browser has it. */
function store() {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key) };
}

test('what waits is kept in its order, goes one by one, and stops where a person has to say', () => {
  const kept = store();
  let changes = 0;
  const queue = new Queue(kept, 'q', () => (changes += 1));
  queue.add('start_raid', { raidNumber: 4 }, 1);
  queue.add('raid', { raiderId: 'a01', raidNumber: 4 }, 2);
  queue.add('raid', { raiderId: 'b01', raidNumber: 5 }, 3);
  assert.deepEqual(queue.items.map(({ word }) => word), ['raid', 'raid'], 'a raid that has its result needs no start');
  const [first, second] = queue.items;
  assert.equal(queue.next.id, first.id);
  queue.sends(first.id);
  assert.equal(queue.next, null, 'one at a time');
  const again = new Queue(kept, 'q', () => {});
  assert.deepEqual(again.items.map(({ id, state }) => [id, state]), [[first.id, 'waiting'], [second.id, 'waiting']], 'under the same names');
  queue.conflicts(first.id, { raidNumber: 4 });
  assert.deepEqual([queue.next, queue.stuck.length, queue.open.length], [null, 1, 1]);
  queue.renumber(first.id, 6);
  assert.notEqual(queue.items[0].id, first.id, 'another action, under another name');
  assert.equal(queue.next.payload.raidNumber, 6);
  for (const { id } of [...queue.items]) queue.drop(id);
  assert.equal(kept.kept.size, 0);
  assert.ok(changes >= 7);
  while (queue.items.length < ITEMS_MAX) assert.ok(queue.add('technical', { team: 'A' }, 1));
  assert.equal(queue.add('technical', { team: 'A' }, 1), false);
  for (const text of ['{', '7', '[{"id":1}]', '[null]']) {
    kept.setItem('q', text);
    assert.deepEqual(new Queue(kept, 'q', () => {}).items, [], text);
  }
});

test('the same raid said by two is no conflict', () => {
  const line = { raiderId: 'a01', defenderIds: ['b02', 'b01'], bonusTaken: true, lobbyEvents: [], result: 'raidSuccess' };
  const meant = { raiderId: 'a01', touchedIds: ['b01', 'b02'], bonus: true };
  assert.ok(isSame(meant, line));
  for (const other of [{ ...meant, bonus: false }, { ...meant, raiderId: 'a02' }, { ...meant, touchedIds: ['b01'] }, { raiderId: 'a01', tacklerIds: ['b01', 'b02'], bonus: true }, { ...meant, raiderOut: 'bounds' }]) {
    assert.ok(!isSame(other, line), JSON.stringify(other));
  }
  assert.ok(isSame({ raiderId: 'a01' }, { raiderId: 'a01', defenderIds: [], bonusTaken: false, lobbyEvents: [], result: 'emptyRaid' }));
  assert.ok(isSame({ raiderId: 'a01', raiderOut: 'bounds' }, { raiderId: 'a01', defenderIds: [], bonusTaken: false, lobbyEvents: [], result: 'defenseSuccess', raiderOut: 'bounds' }));
  assert.ok(!isSame(meant, null));
});

const STATE = {
  matchId: 'm', title: 'T', actions: 0, raidLog: [], teamA: { name: '=Lions', score: 3 }, teamB: { name: 'Tigers', score: 1 },
  playerStats: { a01: { id: 'a01', name: 'Asha, "the wall"', team: 'teamA' }, b01: { id: 'b01', name: 'Kala', team: 'teamB' } },
};

test('a sheet adds up: what is undone, set aside or of a tie-break counts nothing', () => {
  const raid = (number, more) => ({ number, raidNumber: number, raidingTeam: 'A', raiderId: 'a01', defenderIds: ['b01'], result: 'raidSuccess', clockMs: 60_000, action: { type: 'raid' }, ...more });
  const lines = [
    raid(1, { gained: { teamA: 3, teamB: 0 } }), { number: 2, action: { type: 'start_raid' } }, raid(3, { gained: { teamA: 2, teamB: 0 }, undone: true }),
    raid(4, { aside: 'no' }), { number: 5, action: { type: 'technical', team: 'B' }, gained: { teamA: 0, teamB: 1 } }, raid(6, { gained: { teamA: 1, teamB: 0 }, tieBreak: true }),
  ];
  const list = rows(STATE, lines);
  assert.deepEqual(list.map(({ number, score }) => [number, score.join()]), [[1, '3,0'], [3, '3,0'], [4, '3,0'], [5, '3,1'], [6, '3,1']]);
  assert.deepEqual(sums(list), [3, 1]);
  const text = csv(STATE, list);
  const [head, first] = text.split('\r\n');
  assert.ok(head.includes('points =Lions') && head.startsWith('number,raid,clock'), head);
  assert.ok(first.includes('"Asha, ""the wall"""'), first);
  assert.ok(csv({ ...STATE, playerStats: { ...STATE.playerStats, a01: { name: '=1+1' } } }, rows({ ...STATE, playerStats: { ...STATE.playerStats, a01: { name: '=1+1' } } }, lines)).includes("'=1+1"), 'no formula');
});

test('a fold begins anew only by what is newer', () => {
  const match = new Match();
  match.begin({ ...STATE, actions: 7 });
  match.begin({ ...STATE, actions: 5 });
  assert.equal(match.state.actions, 7, 'an answer that was overtaken');
  assert.equal(match.take({ number: 7, action: {}, line: { number: 7 }, now: {}, playerStats: {} }), 'known');
  assert.equal(match.take({ number: 9, action: {}, line: { number: 9 }, now: {}, playerStats: {} }), 'behind');
});

test('what happened is said in words', () => {
  for (const [line, words] of [
    [{ result: 'raidSuccess', defenderIds: ['b01'], bonusTaken: true, superRaid: false }, 'Asha, "the wall" touches Kala and takes the bonus.'],
    [{ result: 'defenseSuccess', defenderIds: ['b01'], superTackle: true }, 'Asha, "the wall" is caught by Kala: super tackle.'],
    [{ result: 'defenseSuccess', defenderIds: [], raiderOut: 'bounds' }, 'Asha, "the wall" steps out of bounds.'],
    [{ result: 'doOrDieRaid', defenderIds: [] }, 'Asha, "the wall" comes home with nothing from a do-or-die raid, and is out.'],
    [{ result: 'lobbyTouch', defenderIds: ['b01'], lobbyEvents: ['b01'] }, 'Asha, "the wall" comes home, Kala steps out.'],
  ]) assert.equal(ofLine(STATE, { number: 1, raidNumber: 1, raiderId: 'a01', raidingTeam: 'A', lobbyEvents: [], ...line }), words);
  assert.equal(ofAction(STATE, { type: 'raid', raiderId: 'a01', touchedIds: ['b01'] }), 'Asha, "the wall" touches Kala.');
  assert.equal(ofAction(STATE, { type: 'technical', team: 'B', turnLost: true }), 'Technical point to Tigers; =Lions lose their raid.');
  assert.deepEqual(broken('the rules would not allow these actions any more: 9 (b01 is not on the mat), 11 (x) and 3 more; say force to set them aside'),
    { list: [{ number: 9, why: 'b01 is not on the mat' }, { number: 11, why: 'x' }], more: 3 });
});
