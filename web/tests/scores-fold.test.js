// The fold of a match's deltas, held against what the server says: after every action of a long match it is the state, and what a console
// expects of an action is what comes of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Follow } from '../scores/follow.js';
import { TEAMS, letterOf, otherOf } from '../scores/match.js';
import { predict } from '../scores/predict.js';
import { Played, allGo, client } from './matches.js';
import { Server } from './server.js';

const ACTIONS = 120;

let server;
before(async () => (server = await Server.start()));
after(async () => {
  allGo();
  await server?.end();
});

/** The same numbers for the same seed. */
function dice(seed) {
  let at = seed;
  return (sides) => {
    at = (Math.imul(at, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((at / 2 ** 32) * sides);
  };
}

/** Something that may well happen now; the rules may say no. */
function drawn(state, roll) {
  const raiding = state.raidingTeam;
  const team = letterOf(TEAMS[roll(2)]);
  const of = (list) => list[roll(list.length)];
  if (state.phase === 'half_time') return ['start_half', {}];
  if (state.review) return ['decide_review', { upheld: roll(2) === 0 }];
  const [ours, theirs] = [state.mat[raiding], state.mat[otherOf(raiding)]];
  const bench = Object.values(state.playerStats).filter((player) => player.status === 'bench' && player.team === `team${team}`);
  switch (roll(24)) {
    case 0: return ['technical', { team, turnLost: letterOf(raiding) !== team && roll(2) === 0 }];
    case 1: return bench.length > 0 ? ['substitute', { team, outId: of(state.mat[`team${team}`]), inId: of(bench).id }] : ['stop_clock', {}];
    case 2: return ['card', { playerId: of(state.mat[`team${team}`]), card: of(['green', 'yellow', 'red']) }];
    case 3: return ['time_out', { team }];
    case 4: return ['review', { team }];
    case 5: return ['start_raid', { raiderId: of(ours), raidNumber: state.raidNumber }];
    case 6: return [of(['stop_clock', 'start_clock']), {}];
    case 7: return state.mat[`team${team}`].length <= 2 ? ['declare', { team }] : ['time_out', {}];
    default: {
      const some = theirs.filter(() => roll(3) === 0);
      const raid = { raiderId: of(ours), raidNumber: state.raidNumber, ...(state.bonusOpen && roll(4) === 0 && { bonus: true }) };
      const kind = roll(8);
      if (kind < 3) return ['raid', { ...raid, ...(some.length > 0 && { touchedIds: some }) }];
      if (kind < 5) return ['raid', some.length > 0 ? { ...raid, tacklerIds: some } : raid];
      if (kind === 5) return ['raid', { ...raid, raiderOut: of(['bounds', 'lobby', 'baulk', 'cant', 'time']) }];
      if (kind === 6) return ['raid', { ...raid, ...(some.length > 0 && { selfOutIds: some }) }];
      return ['raid', raid];
    }
  }
}

/** What a console shows of a raid that is not sent yet. */
const SHOWN = ['raidNumber', 'raidingTeam', 'phase', 'doOrDie', 'bonusOpen', 'superTackleOpen', 'emptyRaidCounts', 'mat', 'revival'];
const shown = (state) => ({ ...Object.fromEntries(SHOWN.map((name) => [name, state[name]])), score: TEAMS.map((key) => state[key].score) });

/** Until a follower has heard of it. */
async function heard(follow, actions) {
  if ((follow.state?.actions ?? -1) >= actions) return;
  await new Promise((resolve, reject) => {
    const late = AbortSignal.timeout(20_000);
    late.addEventListener('abort', () => reject(new Error(`action ${actions} is not heard: ${follow.state?.actions}`)));
    const { changed } = follow.page;
    follow.page.changed = (what) => {
      changed(what);
      if ((follow.state?.actions ?? -1) >= actions) resolve();
    };
  });
}

test('after every action of a long match the fold is the state, and what was expected has come', async () => {
  const played = await Played.begins(server.url, 'fold', { profile: 'pkl' });
  const watching = await client(server.url, 'Viewer');
  const follow = new Follow(watching, 'fold', { changed: () => {} });
  follow.join();
  const roll = dice(7);
  let before = await played.stands();
  const done = { raid: 0, refused: 0 };
  await heard(follow, before.actions);
  for (let at = 0; at < ACTIONS; at += 1) {
    const [word, payload] = at === ACTIONS / 2 && !before.clock.raid && !before.review ? ['end_half', {}] : drawn(before, roll);
    const expected = predict(before, { ...payload, type: word }, Date.now());
    try {
      await played.says(word, payload);
    } catch (error) {
      assert.equal(error.code, 'RULE', `${word}: ${error.message}`);
      done.refused += 1;
      continue;
    }
    const now = await played.stands();
    await heard(follow, now.actions);
    const fold = { ...follow.state };
    // A clock that says something meanwhile is heard too.
    if (fold.actions === now.actions) assert.deepEqual(fold, now, `${at}: ${word} ${JSON.stringify(payload)}`);
    if (now.actions === before.actions + 1) assert.deepEqual(shown(expected), shown(now), `${at}: ${word} ${JSON.stringify(payload)}`);
    done[word] = (done[word] ?? 0) + 1;
    before = now;
  }
  assert.ok(done.raid > 40 && done.refused < ACTIONS / 2, JSON.stringify(done));
  assert.equal(follow.match.state.raidLog.length, before.raidCount);

  // A correction of the past is told whole; what was folded before gives way to it.
  const raids = before.raidLog.filter(({ result }) => result === 'emptyRaid');
  const raid = raids[0];
  await played.says('correct', { raidNumber: raid.raidNumber, action: { type: 'raid', raiderId: raid.raiderId, raiderOut: 'bounds' }, force: true });
  const corrected = await played.stands();
  await follow.whole();
  assert.deepEqual(follow.state, corrected);
  assert.ok(follow.match.whole && follow.match.lines.size === corrected.actions);
});

test('a knock-out match that is level: raids of five, a golden raid, a toss', async () => {
  const played = await Played.begins(server.url, 'tie', { knockout: true });
  const watching = await client(server.url, 'Viewer');
  const follow = new Follow(watching, 'tie', { changed: () => {} });
  follow.join();
  await played.says('start_half');
  await played.says('end_half');
  await played.says('start_half');
  await played.says('end_half');
  const five = (prefix) => [1, 2, 3, 4, 5].map((number) => `${prefix}0${number}`);
  await played.says('name_tie_raiders', { team: 'A', playerIds: five('a') });
  await played.says('name_tie_raiders', { team: 'B', playerIds: five('b') });
  await played.says('start_tie_break');
  for (let at = 0; at < 10; at += 1) {
    if (at === 2) {
      // Who is next is carded, and another takes the place.
      await played.says('card', { playerId: 'a02', card: 'red' });
      await played.says('name_tie_raiders', { team: 'A', playerIds: ['a01', 'a06', 'a03', 'a04', 'a05'] });
    }
    if (at === 4) {
      // Of a raid that is on a card waits for the end, and is told with it.
      await played.says('start_raid', {});
      await played.says('card', { playerId: 'b07', card: 'yellow' });
    }
    const state = await played.stands();
    assert.deepEqual([state.phase, state.tieRaidsEach], ['tie_raids', 5]);
    const raiderId = state[state.raidingTeam].tieRaiderIds[state[state.raidingTeam].tieRaids];
    const raid = { raiderId, bonus: at < 2, raidNumber: state.raidNumber };
    await played.says('raid', raid);
    const now = await played.stands();
    assert.deepEqual(now.mat.teamB.includes('b07'), at < 4);
    if (at < 9) assert.deepEqual(shown(predict(state, { ...raid, type: 'raid' }, Date.now())), shown(now), `raid ${at}`);
  }
  await played.says('golden_raid', { team: 'A' });
  await played.says('raid', { raiderId: 'a01' });
  await played.says('decide_by_toss', { winner: 'B' });
  await played.says('end_match');
  const now = await played.stands();
  await heard(follow, now.actions);
  assert.deepEqual(follow.state, now);
  assert.deepEqual([now.result.winner, now.result.by, now.teamA.tiePoints, now.teamB.tiePoints], ['teamB', 'toss', 1, 1]);
});
