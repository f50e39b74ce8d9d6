// What the pages of rides work out by themselves: the ground, the town, who drives through it, squares of the map, and the fold of what
// a person's room says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onStreet, places, route } from '../rides/city.js';
import { away, metres, pointOf, spotOf } from '../rides/geo.js';
import { Squares, squareOf, squaresOf } from '../rides/operator/squares.js';
import { Seat } from '../rides/seat.js';
import { Wheels } from '../rides/wheels.js';
import { far, left, ofRefusal, percent, rupiah } from '../rides/words.js';

const HOME = { latitude: -6.2088, longitude: 106.8456 };

test('ways over the ground are those of the server', () => {
  for (const [latitude, longitude, km] of [[-6.22, 106.83, 2.1271], [-6.21, 106.845, 0.149], [-6.2088, 106.8546, 0.9949], [-6.2088, 106.8547, 1.0059], [-6.2097, 106.8456, 0.1001]]) {
    assert.equal((metres(HOME, { latitude, longitude }) / 1000).toFixed(4), km.toFixed(4));
  }
  assert.ok(Math.abs(metres(HOME, away(HOME, 500, 0.37)) - 500) < 1);
  for (const latitude of [-60, -6.2, 0, 51.4779]) {
    const point = { latitude, longitude: 106.8456 };
    assert.deepEqual(pointOf(spotOf(point)), point);
  }
});

test('squares of the map have the names that docs/rides.md gives them', () => {
  const vectors = [[-6.2088, 106.8456, '4189.14257'], [-6.22, 106.83, '4189.14257'], [0, 0, '4500.8999'], [-0.0000001, -0.0000001, '4499.8999'], [52.52, 13.405, '7126.5881'], [60, -180, '7500.0'], [51.4779, 180, '7073.0'], [90, 12, '8999.0'], [-90, -180, '0.0']];
  for (const [latitude, longitude, name] of vectors) assert.equal(squareOf({ latitude, longitude }), name, `${latitude}, ${longitude}`);
  const seen = squaresOf({ latitude: -6.23, longitude: 106.82 }, { latitude: -6.19, longitude: 106.87 }, 36);
  assert.ok(seen.includes('4189.14257') && new Set(seen).size === seen.length);
  assert.equal(squaresOf({ latitude: -60, longitude: 0 }, { latitude: 60, longitude: 90 }, 36).length, 36);
});

test('of a driver who goes over a border what was told last holds', () => {
  const squares = new Squares();
  const here = { driver_id: 'd', driver_name: 'D', location: HOME, available: true };
  squares.hear('1.1', 'driver_here', here);
  squares.hear('1.2', 'driver_here', here);
  assert.equal(squares.hear('1.1', 'driver_left', { driver_id: 'd' }), false);
  assert.equal(squares.all.drivers.get('d').square, '1.2');
  squares.take('1.2', { drivers: [], searches: [], rides: [] });
  assert.equal(squares.all.drivers.size, 0);
});

test('the town is the same for everybody, and a way through it holds together', () => {
  assert.deepEqual(places(HOME, 2000), places(HOME, 2000));
  const names = places(HOME, 2600).map(({ name }) => name);
  assert.ok(names.length >= 12 && new Set(names).size === names.length, names.join());
  for (let turn = 0; turn < 24; turn += 1) {
    const [from, to] = [HOME, onStreet(away(HOME, 150 + turn * 60, turn / 24))];
    const way = route(from, to);
    assert.deepEqual([way[0], way.at(-1)], [from, to]);
    const long = way.slice(1).reduce((sum, point, index) => sum + metres(way[index], point), 0);
    assert.ok(long >= metres(from, to) - 1 && long < metres(from, to) * 1.6 + 260, `${turn}: ${long} for ${metres(from, to)}`);
    assert.ok(metres(to, onStreet(to)) < 0.2, 'a place on a street stays where it is');
  }
});

test('whoever drives keeps the speed, however seldom they are looked at', () => {
  const to = onStreet(away(HOME, 900, 0.2));
  const [often, seldom] = [new Wheels(HOME), new Wheels(HOME)];
  often.drive(to, 60, 0);
  seldom.drive(to, 60, 0);
  let driven = 0;
  for (let now = 1000; now <= 20_000; now += 1000) {
    const before = often.at;
    driven += metres(before, often.move(now));
  }
  assert.deepEqual(often.at, seldom.move(20_000));
  assert.ok(driven <= (20 / 3.6) * 60 + 1 && driven > (20 / 3.6) * 60 * 0.9, `20 s at 60 km/h are 333 m: ${driven}`);
  often.drive(to, 120, 20_000);
  assert.ok(metres(often.move(21_000), seldom.at) <= 34);
  assert.deepEqual(often.move(3_600_000), to);
  assert.deepEqual([often.goal, often.way], [null, []]);
});

/** A client that carries nothing: what is heard is said by the test. */
function seated(role, joins = async (_name) => {}) {
  const asked = [];
  const heard = [];
  const client = {
    state: 'open',
    on: (type, listener) => type === 'frame' && heard.push(listener),
    room: (name) => ({ on() {}, state: 'open', error: null, join: () => (asked.push(`join ${name}`), joins(name)), leave: () => asked.push(`leave ${name}`), ask: async () => ({ payload: {} }), act: async (word) => ({ payload: asked.push(`${word} ${name}`) && null }) }),
  };
  const seat = new Seat(client, role, '7', { changed() {} });
  const says = (type, payload, room = `rides:${role}:7`) => heard.forEach((listener) => listener({ type, room, payload }));
  return { seat, says, asked };
}

const offer = (match_status) => ({ match_id: 'm', match_status, distance_m: 5, location: HOME, target_location: null, driver_name: 'D', passenger_name: 'P', expires_at: '' });
const ride = (status, more = {}) => ({ ride_id: 'm', status, driver_name: 'D', passenger_name: 'P', total_cost: 0, distance_m: 0, location: HOME, target_location: null, payment: null, ...more });

test('two who say yes at once are both seen to have said it', () => {
  const { seat, says, asked } = seated('passenger');
  says('room_info', { about: { finder: { is_active: true, location: HOME }, offers: [], ride: null, payment: null } });
  says('match_proposal', offer('PENDING'));
  says('match_confirm', offer('DRIVER_CONFIRMED'));
  says('match_confirm', offer('PASSENGER_CONFIRMED'));
  assert.equal(seat.offers.get('m').match_status, 'BOTH_CONFIRMED');
  says('match_confirm', offer('ACCEPTED'));
  assert.deepEqual([seat.offers.size, seat.ride.status, seat.finder.is_active], [0, 'MATCHED', false]);
  assert.deepEqual(asked, [], 'before the ride has spoken its room is not joined');
  says('ride_pickup', ride('ARRIVING'));
  assert.deepEqual(asked, ['join rides:ride:m']);
  says('driver_location', { ...HOME, distance_to_pickup_m: 12 }, 'rides:ride:m');
  assert.equal(seat.seen.to_pickup_m, 12);
  says('driver_location', { ...HOME, distance_to_pickup_m: 99 }, 'rides:ride:another');
  assert.equal(seat.seen.to_pickup_m, 12, 'another ride is none of ours');
  says('ride_arrived', ride('ARRIVED', { payment: { ride_id: 'm', status: 'PENDING', adjusted_cost: 10 } }));
  assert.deepEqual([seat.ride, seat.due.payment.adjusted_cost], [null, 10]);
  says('payment_processed', { ride_id: 'm', status: 'REJECTED', adjusted_cost: 10 });
  assert.equal(seat.due.payment.status, 'REJECTED');
  says('ride_completed', { ride: ride('COMPLETED'), payment: { ride_id: 'm', status: 'PROCESSED' } });
  assert.deepEqual([seat.due, seat.ended.kind], [null, 'completed']);
  assert.deepEqual(asked, ['join rides:ride:m', 'leave rides:ride:m']);
});

test('a ride that one may not be in is joined with its next word, and the next ride is left when it is over', async () => {
  const refused = [];
  const { says, asked } = seated('passenger', () => new Promise((_, reject) => refused.push(reject)));
  const isRefused = async (number) => {
    refused[number](new Error('not yet'));
    await new Promise((done) => setImmediate(done));
  };
  says('room_info', { about: { finder: { is_active: false }, offers: [], ride: null, payment: null } });
  says('ride_pickup', ride('ARRIVING'));
  await isRefused(0);
  says('ride_pickup', ride('PICKUP'));
  says('ride_cancelled', ride('CANCELLED'));
  says('ride_pickup', ride('ARRIVING', { ride_id: 'n' }));
  await isRefused(1);
  says('ride_cancelled', ride('CANCELLED', { ride_id: 'n' }));
  assert.deepEqual(asked, ['join rides:ride:m', 'join rides:ride:m', 'leave rides:ride:m', 'join rides:ride:n', 'leave rides:ride:n']);
});

test('what a cancelled ride costs is due until it is paid, and then it is on the receipt', () => {
  const { seat, says } = seated('passenger');
  const payment = { ride_id: 'm', status: 'PENDING', adjusted_cost: 2000 };
  says('room_info', { about: { finder: { is_active: false }, offers: [], ride: ride('PICKUP'), payment: null } });
  says('ride_cancelled', ride('CANCELLED', { ended_by: 'passenger', payment }));
  assert.deepEqual([seat.ride, seat.due.payment.status, seat.ended.kind], [null, 'PENDING', 'cancelled']);
  says('payment_processed', { ...payment, status: 'PROCESSED' });
  assert.deepEqual([seat.due, seat.ended.payment.status], [null, 'PROCESSED']);
});

test('where a fleet decides, what was said and taken holds until it says otherwise', async () => {
  const driver = seated('driver');
  await driver.seat.says('beacon_update', { is_active: true, ...HOME });
  assert.deepEqual([driver.seat.beacon.is_active, driver.seat.beacon.location], [true, HOME]);
  const passenger = seated('passenger');
  await passenger.seat.says('finder_update', { is_active: true, location: HOME });
  assert.deepEqual([passenger.seat.finder.is_active, passenger.seat.finder.expires_at], [true, '']);
  await passenger.seat.says('match_confirm', { match_id: 'm', accepted: true });
  assert.equal(passenger.seat.offers.size, 0);
});

test('after a reset there is what the room says now and nothing else', () => {
  const { seat, says } = seated('driver');
  says('room_info', { about: { beacon: { is_active: true, available: true, location: HOME }, offers: [offer('PENDING')], ride: null, payment: null } });
  assert.equal(seat.offers.size, 1);
  says('reset', { view: { beacon: { is_active: false, available: false }, offers: [], ride: null, payment: null } });
  assert.deepEqual([seat.offers.size, seat.beacon.is_active], [0, false]);
});

test('money, ways and refusals are said as people say them', () => {
  assert.equal(rupiah(8640).replace(/\s/, ' '), 'Rp 8.640');
  assert.deepEqual([far(340.4), far(1240), far(12_340)], ['340 m', '1.24 km', '12.3 km']);
  assert.deepEqual([left(29_100), left(-5), left(61_000)], ['0:30', '0:00', '1:01']);
  assert.equal(percent(0.9), '90 %');
  const gate = { code: 'VALIDATION_FAILED', message: 'the driver is 260 m from the passenger, and must be within 100 m: come closer' };
  assert.equal(ofRefusal(gate), 'You are 260 m from the passenger. Come within 100 m, then it works.');
});
