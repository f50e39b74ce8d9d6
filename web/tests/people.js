// People at browsers: each has a window of their own. Whatever a page complains of, of itself or by its policy, fails the test
// in which it did.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

/** What anything on one machine takes, a hundred times over. */
const PATIENCE_MS = 20_000;

/** Said by the browser itself when the network is gone, which some tests want, and of a server that gives no tokens away, or shows nothing
 * without one; and of what an operator asked for that is not there. */
const OF_THE_NETWORK = /net::ERR_|WebSocket connection to .* failed/;
const OF_THE_DOOR = /\/(demo\/token|ws\/viewer|api\/matches|overview)$|\/connections\/[\w-]+$|\/explain\?room=poker/;

/** Where a program is, by the path on which programs are looked for. */
function found(name) {
  const places = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  const place = places.find((path) => existsSync(path));
  if (!place) throw new Error(`${name} is missing; install Chromium: apt-get install -y chromium`);
  return place;
}

export async function browse() {
  const executablePath = found(process.env.KULKUL_CHROMIUM ?? 'chromium');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export class Person {
  /** @param {import('playwright-core').Browser} browser @param {string} url @param {string} name */
  static async enters(browser, url, name, { at = '', ...options } = {}) {
    const person = await Person.opens(browser, `${url}/chat/${at}`, options);
    person.name = name;
    await person.page.fill('#name', name);
    await person.page.click('#door button');
    await person.isConnected();
    return person;
  }

  /** @param {import('playwright-core').Browser} browser @param {string} address */
  static async opens(browser, address, options = {}) {
    const person = new Person();
    person.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    person.context.setDefaultTimeout(PATIENCE_MS);
    person.page = await person.context.newPage();
    person.complaints = [];
    const { page, complaints } = person;
    page.on('pageerror', (error) => complaints.push(error.stack));
    page.on('console', (message) => {
      const bad = message.type() === 'error' || message.type() === 'warning';
      const wanted = OF_THE_NETWORK.test(message.text()) || OF_THE_DOOR.test(message.location().url);
      if (bad && !wanted) complaints.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    });
    await page.addInitScript(() => {
      window.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    await page.goto(address);
    return person;
  }

  /** Everything that was looked for is there, and nothing was complained of. */
  async leaves() {
    const violations = await this.page.evaluate(() => window.violations);
    await this.context.close();
    assert.deepEqual(this.complaints, []);
    assert.deepEqual(violations, []);
  }

  isConnected() {
    return this.sees('#status', 'Connected');
  }

  /** By the banner, if it is still there: whoever was asked to wait may have come back alone. */
  comesBack() {
    return this.page.evaluate(() => document.querySelector('#banner:not([hidden]) #banner-do')?.click());
  }

  /** Until it is shown. @param {string} selector @param {string | RegExp} [text] */
  sees(selector, text) {
    return this.page.locator(selector, text === undefined ? {} : { hasText: text }).locator('visible=true').first().waitFor();
  }

  /** Until nothing of the kind is shown. @param {string} selector @param {string | RegExp} [text] */
  misses(selector, text) {
    return this.until(async () => (await this.page.locator(selector, text === undefined ? {} : { hasText: text }).locator('visible=true').count()) === 0, `${selector} ${text ?? ''} is still there`);
  }

  /** @param {() => Promise<boolean>} holds @param {string} otherwise */
  async until(holds, otherwise) {
    const end = Date.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`${this.name ?? 'somebody'}: ${otherwise}`);
      await this.page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }

  async goes(room) {
    await this.page.evaluate((name) => (location.hash = name), room);
    await this.page.locator(`a[data-room="${room}"][aria-current]`).waitFor({ state: 'attached' });
    await this.isIn();
  }

  /** Until the room has answered and its beginning or its past is there. */
  isIn() {
    return this.until(() => this.page.locator('#empty:visible, #messages .message').count().then((count) => count > 0), 'the room shows nothing');
  }

  async says(text) {
    await this.page.fill('#say', text);
    await this.page.press('#say', 'Enter');
  }

  /** Says it, and waits until it is stored. Before the room is there, nobody could hear it. */
  async tells(text) {
    await this.isIn();
    await this.says(text);
    await this.page.locator('.message:not(.pending) .text', { hasText: text }).first().waitFor({ state: 'attached' });
  }

  hears(text) {
    return this.page.locator('.message:not(.pending) .text', { hasText: text }).first().waitFor({ state: 'attached' });
  }

  /** What stands there, in order. */
  texts() {
    return this.page.locator('.message .text').allTextContents();
  }

  message(text) {
    return this.page.locator('.message', { hasText: text }).last();
  }

  /** Presses one of the signs beside a message. */
  async does(what, text) {
    const message = this.message(text);
    await message.hover();
    await message.locator(`.tool[aria-label="${what}"]`).click();
  }

  /** Chooses from the menu beside a person. */
  async chooses(what, person) {
    await this.page.locator('#people-side button.entry', { hasText: person }).first().click();
    await this.page.locator('#menu .entry', { hasText: what }).first().click();
  }

  async shoots(name) {
    const folder = process.env.KULKUL_SHOTS;
    if (folder) await this.page.screenshot({ path: `${folder}/${name}.png` });
  }
}
