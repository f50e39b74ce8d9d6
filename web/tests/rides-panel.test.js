// The live panel drives a fleet of real clients, and an operator sees every one of them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Person, browse } from './people.js';
import { Rider } from './riders.js';
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

test('ten drivers come, ride and are paid; the operator’s map has them; and they leave', async () => {
  const panel = await Person.opens(browser, `${server.url}/rides/panel/`);
  const { page } = panel;
  const figure = async (who, of) => Number((await who.page.locator(`[data-figure="${of}"]`).first().textContent()).replace(/[^\d]/g, ''));
  await page.fill('#count', '10');
  await page.selectOption('#kmh', '120');
  await panel.sees('#count-words', '10 drivers, 5 passengers');
  await page.click('#run');
  await panel.until(async () => (await figure(panel, 'here')) === 10, 'ten drivers do not come');

  const olive = await Rider.enters(browser, server.url, 'operator', 'Olive');
  await olive.until(async () => (await figure(olive, 'drivers')) === 10, 'the operator does not see ten drivers');
  await olive.sees('[data-search]', 'open');
  await olive.sees('#rides .look');
  await olive.page.locator('#rides .look').first().click();
  await olive.sees('#look-title', /drives/);
  await olive.sees('#look-words', /Now (coming|at the pick-up|riding|arrived)/);
  await olive.shoots('rides-operator');
  // Somebody has to drive to the pick-up and to the target first, at 120 km/h.
  await page.locator('[data-figure="done"]', { hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
  await panel.shoots('rides-panel');
  assert.ok((await figure(panel, 'done')) <= (await figure(panel, 'rupiah')), 'what is completed is paid');

  await page.click('#run');
  await panel.sees('#state', 'Stopped');
  await olive.until(async () => (await figure(olive, 'drivers')) === 0 && (await figure(olive, 'rides')) === 0, 'somebody stays on the operator’s map');
  await olive.sees('#drivers-none', 'No driver is on duty here');

  // Once more: those who were here come again.
  await page.click('#run');
  await panel.until(async () => (await figure(panel, 'here')) === 10, 'they do not come again');
  await page.click('#run');
  await panel.sees('#state', 'Stopped');
  await panel.leaves();
  await olive.leaves();
});
