// How the pages of rides look: on a phone held either way, by day and by night, to whoever listens and whoever has keys alone; and what
// they may do.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faint, unmade, unnamed } from './made.js';
import { Person, browse } from './people.js';
import { HOME, Rider, north } from './riders.js';
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

const SIZES = [
  { size: 'wide', viewport: { width: 1280, height: 800 } }, { size: 'phone', viewport: { width: 390, height: 844 } }, { size: 'narrow', viewport: { width: 320, height: 640 } }, { size: 'across', viewport: { width: 844, height: 390 } },
];

/** By day and by night, on every size, as it stands. @param {Person} one @param {string} name */
async function looks(one, name) {
  const { page } = one;
  for (const { size, viewport } of SIZES) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await one.shoots(`rides-look-${name}-${size}-${colorScheme}`);
      assert.deepEqual(await page.evaluate(faint), [], `${name}, ${size}, ${colorScheme}`);
    }
    assert.deepEqual(await page.evaluate(unmade, size === 'wide' ? 0 : 44), [], `${name}, ${size}`);
    assert.deepEqual(await page.evaluate(unnamed), [], `${name}, ${size}`);
  }
}

const TOUCH = { hasTouch: true, isMobile: true };

test('the pages that anybody may open: nothing sticks out, all can be read and has a name', async () => {
  for (const [name, path, shows] of [['landing', '/rides/', '#sides'], ['panel', '/rides/panel/', '#run'], ['door', '/rides/driver/', '#door']]) {
    const one = await Person.opens(browser, server.url + path, TOUCH);
    await one.sees(shows);
    await looks(one, name);
    await one.leaves();
  }
  const olive = await Rider.enters(browser, server.url, 'operator', 'Olive', TOUCH);
  await olive.sees('#drivers-none');
  await looks(olive, 'operator');
  await olive.leaves();
});

test('a ride in each of its states, on both sides', async () => {
  const wayan = await Rider.drives(browser, server.url, 'Wayan Sudarma of the Northern Cooperative', { ...TOUCH, at: north(30) });
  const ana = await Rider.rides(browser, server.url, 'Ana', { ...TOUCH, at: HOME, target: north(-500) });
  await looks(wayan, 'off');
  await looks(ana, 'plan');
  await wayan.onDuty();
  await ana.press('find');
  await wayan.sees('.offer');
  await ana.sees('.offer');
  await looks(wayan, 'asked');
  await looks(ana, 'searching');
  await wayan.accepts('Ana');
  await ana.accepts('Wayan');
  await ana.sees('#trip');
  // The phone may have said so already, since it says where it is by itself: then the button is gone, and a press comes to the same.
  await wayan.page.locator('#here').dispatchEvent('click');
  await wayan.stands('You are at the pick-up');
  await looks(wayan, 'pickup');
  await looks(ana, 'here');
  await wayan.press('start');
  await ana.stands('On the way');
  await looks(ana, 'riding');
  await wayan.press('arrive');
  await looks(wayan, 'charge');
  await wayan.press('arrive-do');
  await Promise.all([wayan.stands('Ride completed'), ana.stands('Ride completed')]);
  await looks(wayan, 'receipt');
  await looks(ana, 'receipt-passenger');
  await wayan.leaves();
  await ana.leaves();
});

test('keys alone are enough, for the map too', async () => {
  const ana = await Rider.rides(browser, server.url, 'Ana', { at: north(5000), target: north(5500) });
  const gede = await Rider.drives(browser, server.url, 'Gede', { at: north(5050) });
  const keys = async (one, ...names) => {
    for (const name of names) await one.page.keyboard.press(name);
  };
  /** By the Tab key, as far as it takes. */
  const tabs = (one, selector) => one.until(async () => {
    await keys(one, 'Tab');
    return one.page.evaluate((to) => document.activeElement?.matches(to) ?? false, selector);
  }, `${selector} is not reached`);
  const target = () => ana.page.locator('#plan-words').textContent();
  const before = await target();
  await tabs(ana, '#map canvas');
  assert.equal(await ana.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'the focus can be seen');
  await keys(ana, 'ArrowUp', 'ArrowLeft', '+', 'Enter');
  await ana.until(async () => (await target()) !== before, 'the keys do not choose a place on the map');
  await tabs(ana, '#to');
  await keys(ana, 'ArrowDown');
  await tabs(ana, '#find');
  await tabs(gede, '#go-on');
  await keys(gede, 'Enter');
  await gede.stands('You are on duty');
  await keys(ana, 'Enter');
  await gede.sees('.offer');
  await tabs(gede, '.yes');
  await keys(gede, 'Enter');
  await ana.sees('.offer[data-status="DRIVER_CONFIRMED"]');
  assert.match(await ana.page.locator('#aloud').textContent(), /Gede may come, 50 m away/);
  await tabs(ana, '.yes');
  await keys(ana, 'Space');
  await ana.sees('#trip');
  await gede.sees('#trip');
  assert.equal(await gede.page.evaluate(() => document.activeElement?.id), 'sheet-title', 'the focus goes where the news is');
  await tabs(gede, '#menu-open');
  await keys(gede, 'Enter', 'Escape');
  await gede.until(() => gede.page.evaluate(() => document.activeElement?.id === 'menu-open'), 'the focus does not return');
  await tabs(gede, '#cancel');
  await keys(gede, 'Enter');
  await gede.sees('#ask-dialog');
  await keys(gede, 'Enter');
  await ana.stands('Ride cancelled');
  await ana.leaves();
  await gede.leaves();
});

test('one stands where one presses, where one drags, or where the device says', async () => {
  const wayan = await Rider.drives(browser, server.url, 'Wayan', { at: north(9000), geolocation: { latitude: -8.65, longitude: 115.2167 }, permissions: ['geolocation'] });
  const { page } = wayan;
  const stands = () => page.locator('#sheet-words').textContent();
  const place = () => page.evaluate(() => JSON.parse(sessionStorage.getItem('kulkul.rides.driver.place')));
  const box = await page.locator('#map').boundingBox();
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await page.mouse.click(middle.x + 120, middle.y - 90);
  await wayan.until(async () => (await place())?.longitude > 106.8456, 'a press does not place the driver');
  const pressed = await place();
  await page.mouse.move(middle.x + 120, middle.y - 90);
  await page.mouse.down();
  await page.mouse.move(middle.x, middle.y, { steps: 6 });
  await page.mouse.up();
  await wayan.until(async () => (await place()).longitude < pressed.longitude, 'the driver is not dragged');
  await page.selectOption('#place', { index: 1 });
  await wayan.until(async () => /You stand at /.test(await stands()), 'a place of the list is not taken');
  await page.click('#locate');
  await wayan.until(async () => (await place()).latitude === -8.65, 'the device is not asked');
  await wayan.leaves();
  const bare = await Rider.drives(browser, server.url, 'Made', { at: north(9000) });
  await bare.page.click('#locate');
  await bare.sees('#refusal', 'Press a place on the map');
  await bare.leaves();
});

test('every page comes with the policy, and needs nothing beyond it', async () => {
  for (const path of ['/rides/', '/rides/passenger/', '/rides/driver/', '/rides/panel/', '/rides/operator/', '/rides/map.js']) {
    const response = await fetch(server.url + path);
    assert.equal(response.status, 200, path);
    assert.match(response.headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/, path);
    assert.doesNotMatch(await response.text(), /<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+="/, path);
  }
  for (const folder of ['/rides', '/rides/driver', '/rides/operator']) {
    const moved = await fetch(server.url + folder, { redirect: 'manual' });
    assert.equal(new URL(moved.headers.get('location'), server.url + folder).pathname, `${folder}/`);
  }
  const start = await Person.opens(browser, `${server.url}/`);
  await start.page.click('.demo[href="rides/"]');
  await start.sees('#sides-title', 'Open a passenger in one window');
  await start.leaves();
});
