// A visitor at a page with the support chat on it: what stands in the frame, and what the page itself has of it.

import assert from 'node:assert/strict';
import { Person } from './people.js';

export class Visitor extends Person {
  /** @param {import('playwright-core').Browser} browser @param {string} address of a page that carries the tag */
  static async comes(browser, address, name = 'Cy', options = {}) {
    const visitor = Object.assign(new Visitor(), await Person.opens(browser, address, options), { name });
    await visitor.launcher.waitFor();
    return visitor;
  }

  get launcher() {
    return this.page.locator('kulkul-support button.launch');
  }

  /** The visitor's window. */
  get inside() {
    return this.page.frameLocator('kulkul-support iframe');
  }

  /** What stands there, by its selector and text. @param {string} selector @param {string | RegExp} [text] */
  at(selector, text) {
    return this.inside.locator(selector, text === undefined ? {} : { hasText: text }).locator('visible=true').first();
  }

  /** Until it is shown in the window. @param {string} selector @param {string | RegExp} [text] */
  finds(selector, text) {
    return this.at(selector, text).waitFor();
  }

  /** Until nothing of the kind is shown in the window. @param {string} selector @param {string | RegExp} [text] */
  loses(selector, text) {
    return this.until(async () => !(await this.at(selector, text).isVisible()), `${selector} ${text ?? ''} is still there`);
  }

  comesBack() {
    return this.frame().evaluate(() => document.querySelector('#banner:not([hidden]) #banner-do')?.click());
  }

  async opensWindow() {
    await this.launcher.click();
    await this.finds('#begin, #talk');
  }

  async closesWindow() {
    await this.at('#shut').click();
    await this.page.locator('kulkul-support .panel').waitFor({ state: 'hidden' });
  }

  /** From the closed button to the conversation. */
  async begins(message, { topic = '', name = this.name } = {}) {
    await this.opensWindow();
    await this.starts(message, { topic, name });
  }

  async starts(message, { topic = '', name = this.name } = {}) {
    if (topic) await this.inside.locator('#topic').fill(topic);
    if (await this.inside.locator('#name').isVisible()) await this.inside.locator('#name').fill(name);
    await this.inside.locator('#first').fill(message);
    await this.at('#begin-do').click();
    await this.stored(message);
  }

  async writes(text) {
    await this.inside.locator('#say').fill(text);
    await this.inside.locator('#say').press('Enter');
  }

  /** Said, and kept by the server. */
  async tellsAgent(text) {
    await this.writes(text);
    await this.stored(text);
  }

  stored(text) {
    return this.inside.locator('.message:not(.pending) .text', { hasText: text }).first().waitFor({ state: 'attached' });
  }

  /** What was said, in order. */
  said() {
    return this.inside.locator('.message .text').allTextContents();
  }

  async chooses(words) {
    await this.at('#more').click();
    await this.at('#menu .entry', words).click();
  }

  /** The frame's document, wherever the page is. */
  frame() {
    return this.page.frames().find((frame) => new URL(frame.url()).pathname === '/support/widget/');
  }

  /** What the browser remembers at the server's origin. */
  kept() {
    return this.frame().evaluate(() => JSON.parse(localStorage.getItem('kulkul.support') ?? 'null'));
  }

  async session() {
    return (await this.kept()).current;
  }

  /** The policy held in the frame, too. */
  async leaves() {
    for (const frame of this.page.frames()) assert.deepEqual(await frame.evaluate(() => window.violations ?? []), []);
    await super.leaves();
  }
}
