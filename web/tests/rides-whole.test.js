// A ride from the beacon to the receipt, with a real window for each of the two; and what the network, a reload and a refused payment do
// to it on the way.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browse } from './people.js';
import { HOME, Rider, amount, north } from './riders.js';
import { Server } from './server.js';
import { Way } from './way.js';

let server, browser, way;
before(async () => {
  server = await Server.start();
  way = await Way.opens(server.port);
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await way?.end();
  await server?.end();
});

test('a driver and a passenger find each other, ride, and pay', async () => {
  const wayan = await Rider.drives(browser, server.url, 'Wayan', { at: north(180), auto: { drives: false, presses: false, kmh: 120 } });
  const ana = await Rider.rides(browser, way.url, 'Ana', { at: HOME, target: north(-250) });
  await wayan.stands('You are off duty');
  await wayan.onDuty();
  await ana.press('find');
  await ana.stands(/Looking for a driver|A driver may come/);

  // Both are asked, with a countdown and the distance; neither is matched by one yes.
  await wayan.sees('.offer', 'Ana');
  await wayan.sees('.offer', '180 m to the pick-up');
  await wayan.sees('.offer-left', /^0:[0-3]\d$/);
  await ana.sees('.offer', '180 m from your pick-up');
  await ana.accepts('Wayan');
  await wayan.sees('.offer[data-status="PASSENGER_CONFIRMED"]', 'The passenger said yes. Do you?');
  await ana.sees('.offer-words', 'You said yes. Waiting for the driver');
  await wayan.shoots('rides-asked');
  await wayan.accepts('Ana');
  await wayan.stands('Drive to the pick-up');
  await ana.stands('Your driver is on the way');

  // Too far away to start; the refusal says how far.
  await wayan.press('start');
  await wayan.sees('#refusal', 'You are 180 m from the passenger. Come within 100 m');
  await ana.sees('#sheet-words', '180 m away');

  await wayan.page.check('#drives');
  await wayan.stands('You are at the pick-up');
  await ana.stands('Your driver is here');
  await wayan.sees('#sheet-title', 'You are at the pick-up');
  await wayan.press('start');
  await wayan.stands('On the way');
  await ana.stands('On the way');
  await ana.until(async () => (await ana.figure('fare')) > 0, 'no fare is told on the way');

  // The passenger's network goes: the ride goes on, and is there again.
  const before = await ana.figure('fare');
  way.cut();
  await ana.sees('#banner', 'the ride goes on');
  await ana.shoots('rides-offline');
  await wayan.until(async () => (await wayan.figure('fare')) > before, 'the fare stands still while the passenger is away');
  way.mend();
  // By the banner, if it is still there: she may have come back alone.
  await ana.page.evaluate(() => document.querySelector('#banner:not([hidden]) #banner-do')?.click());
  await ana.isConnected();
  await ana.until(async () => (await ana.figure('fare')) > before, 'what was driven meanwhile is not told');

  // A reload of either is no loss: the first frame has the ride.
  await Promise.all([ana.page.reload(), wayan.page.reload()]);
  await ana.stands('On the way');
  await wayan.stands('On the way');
  await wayan.sees('#party-name', 'Ana');
  await wayan.sees('#sheet-words', /^0 m to go/);
  await wayan.until(async () => (await wayan.figure('metres')) > 0, 'the driver is not told what was driven');

  await wayan.press('arrive');
  await wayan.sees('#arrive-words', 'You may charge less');
  await wayan.page.fill('#factor', '90');
  await wayan.sees('#factor-words', '90 %');
  await wayan.shoots('rides-charge');
  await wayan.press('arrive-do');
  await ana.stands('You have arrived');
  await wayan.sees('#owed-words', 'Ana has yet to pay');
  await wayan.stands('You are on duty');
  const fare = amount(await ana.line('Fare'));
  const due = amount(await ana.line('To be paid'));
  assert.ok(fare >= 750, `250 m as the crow flies make 750 at least: ${fare}`);
  assert.equal(due, Math.floor(fare * 0.9));
  assert.equal(amount(await ana.page.locator('#due-sum').textContent()), due);

  // Refused, still there after a reload, and then paid.
  await ana.press('refuse');
  await ana.sees('#sheet-words', 'You refused to pay');
  await wayan.sees('#owed-words', 'has refused to pay');
  await ana.page.reload();
  await ana.sees('#pay', 'Try again');
  assert.equal(amount(await ana.page.locator('#due-sum').textContent()), due);
  await ana.press('pay');
  await ana.stands('Ride completed');
  await wayan.stands('Ride completed');
  assert.equal(amount(await ana.line('Paid')), due);
  const fee = Math.floor(due * 0.05);
  assert.equal(amount(await wayan.line('Fee of the service')), -fee);
  assert.equal(amount(await wayan.line('Payout')), due - fee);
  await wayan.misses('#owed');
  await ana.shoots('rides-receipt');
  await ana.page.emulateMedia({ media: 'print' });
  assert.deepEqual(await ana.page.evaluate(() => ['#receipt', '#map', '#bar'].map((part) => document.querySelector(part).checkVisibility())), [true, false, false], 'on paper there is the receipt alone');
  await ana.page.emulateMedia({ media: 'screen' });
  await ana.press('done');
  await ana.stands('Where to?');
  await wayan.press('done');
  await wayan.stands('You are on duty');
  await wayan.leaves();
  await ana.leaves();
});

test('the driver’s page does it all by itself, and one person sees a whole ride', async () => {
  const made = await Rider.drives(browser, server.url, 'Made', { at: { latitude: 1.3, longitude: 103.8 }, auto: { drives: true, presses: true, kmh: 120 } });
  const bo = await Rider.rides(browser, server.url, 'Bo', { at: { latitude: 1.3005, longitude: 103.8 }, target: { latitude: 1.301, longitude: 103.8 } });
  await made.onDuty();
  await bo.press('find');
  await bo.page.locator('.offer[data-status="DRIVER_CONFIRMED"]').waitFor();
  await bo.accepts('Made');
  await bo.stands('On the way');
  await bo.stands('You have arrived');
  await bo.press('pay');
  await made.stands('Ride completed');
  await made.leaves();
  await bo.leaves();
});
