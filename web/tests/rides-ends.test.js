// How rides and searches end otherwise: no, nobody, cancelled and for what, and put out by another window or a wrong role.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browse } from './people.js';
import { HOME, Rider, amount, north } from './riders.js';
import { Server } from './server.js';

const CONFIG = `secret = "for-the-tests-of-the-pages-and-for-nothing-else"
operator_listen = "127.0.0.1:0"
[rides]
search = "10s"
offer = "10s"
[[mounts]]
path = "/ws"
one_per_user = true
`;

let server, browser;
before(async () => {
  server = await Server.start({ config: CONFIG });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.end();
});

const driver = async (name, options) => Rider.drives(browser, server.url, name, { token: await server.token(name.toLowerCase(), name, '--role', 'driver'), ...options });
const passenger = async (name, options) => Rider.rides(browser, server.url, name, { token: await server.token(name.toLowerCase(), name, '--role', 'passenger'), target: north(900), ...options });

test('where nobody is found it says so, and the next try finds whoever is there then', async () => {
  const far = { latitude: 40.1, longitude: -3.7 };
  const eva = await passenger('Eva', { at: far });
  await eva.press('find');
  await eva.stands('Looking for a driver');
  await eva.stands('No driver was found');
  await eva.shoots('rides-nobody');
  const luis = await driver('Luis', { at: far });
  await luis.onDuty();
  await eva.press('again');
  await luis.sees('.offer', 'Eva');
  await luis.page.locator('.offer .no').click();
  await luis.stands('You are on duty');
  await eva.sees('.toast', 'Luis: The driver said no.');
  await eva.press('stop');
  await eva.stands('Where to?');
  await luis.press('go-off');
  await luis.stands('You are off duty');
  await luis.leaves();
  await eva.leaves();
});

test('cancelling is free while the driver comes, and costs the passenger a fee once the driver is there', async () => {
  const gede = await driver('Gede', { at: north(150) });
  const ida = await passenger('Ida', { at: HOME });
  await gede.onDuty();
  await ida.matches(gede);
  await gede.press('cancel');
  await gede.sees('#ask-words', 'It costs nobody anything');
  await gede.page.fill('#ask-input', 'A flat tyre');
  await gede.press('ask-do');
  await ida.sees('#sheet-words', 'Gede cancelled: A flat tyre');
  await ida.sees('#ended-title', 'It costs nothing');
  await ida.press('done');
  await gede.press('done');

  // A driver who cancelled is asked again by the next search.
  await ida.matches(gede);
  await gede.page.locator('#map canvas[tabindex]').focus();
  await gede.press('here');
  await gede.sees('#refusal', '150 m from the pick-up');
  await gede.page.check('#drives');
  await ida.stands('Your driver is here');
  await ida.press('cancel');
  await ida.sees('#ask-words', /costs a fee, Rp\s2\.000/);
  await ida.shoots('rides-fee');
  await ida.page.click('[data-cancel]:visible');
  await ida.stands('Your driver is here');
  await ida.press('cancel');
  await ida.press('ask-do');
  await ida.stands('Ride cancelled');
  assert.equal(amount(await ida.page.locator('#due-sum').textContent()), 2000);
  await gede.stands('Ride cancelled');
  await gede.sees('#ended-words', 'The passenger pays for your way');
  await ida.press('pay');
  await ida.sees('#ended-title', 'Receipt');
  await gede.sees('#ended-words', 'has paid for your way');
  assert.equal(amount(await ida.line('Paid')), 2000);
  await gede.leaves();
  await ida.leaves();
});

test('one person has one window: the older one is told, and takes over when asked to', async () => {
  const token = await server.token('komang', 'Komang', '--role', 'driver');
  const first = await Rider.drives(browser, server.url, 'Komang', { token, at: north(2000) });
  const second = await Rider.drives(browser, server.url, 'Komang', { token, at: north(2000) });
  await first.sees('#banner', 'You are here in a newer window');
  await first.page.click('#banner-do');
  await first.isConnected();
  await second.sees('#banner', 'You are here in a newer window');
  await first.leaves();
  await second.leaves();
});

test('a wrong role stays outside, and is told which one it takes', async () => {
  const wrong = [['driver', 'passenger', 'Enter with one whose role is driver'], ['passenger', 'driver', 'Your token is a driver’s'], ['operator', 'driver', 'Enter with one whose role is operator or admin']];
  for (const [side, role, words] of wrong) {
    const one = await Rider.opens(browser, `${server.url}/rides/${side}/#token=${await server.token('x', 'X', '--role', role)}`);
    await one.sees('#door-trouble', words);
    assert.equal(await one.page.evaluate(() => location.hash), '');
    await one.page.fill('#name', 'X');
    await one.page.click('#door button');
    await one.sees('#key', `--role ${side}`);
    await one.leaves();
  }
  const panel = await Rider.opens(browser, `${server.url}/rides/panel/`);
  await panel.page.click('#run');
  await panel.sees('#no-demo', 'not in demo mode');
  await panel.sees('#state', 'Stopped');
  await panel.shoots('rides-panel-no-demo');
  await panel.leaves();
});
