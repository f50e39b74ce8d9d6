// The staff at their pages, and customers who come by HTTP and listen over a connection of their own.

import assert from 'node:assert/strict';
import { Kulkul } from '../../clients/js/src/index.js';
import { Person } from './people.js';

const PATIENCE_MS = 20_000;

/** @param {string} url @param {string} path @param {object} body @param {string} [token] */
async function call(url, path, body, token, of = (answer) => answer.data) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const until = Date.now() + PATIENCE_MS;
  let response;
  // A customer who writes faster than one may is told so, and comes again.
  do response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  while (response.status === 429 && Date.now() < until);
  const answer = await response.json();
  assert.ok(response.ok, `${path}: ${JSON.stringify(answer)}`);
  return of(answer);
}

/** Who is in more of a hurry than others, a supervisor says. */
async function hurries(url, id, priority) {
  const { token } = await call(url, '/demo/token', { name: 'Sue', role: 'supervisor' }, undefined, (answer) => answer);
  const client = new Kulkul(`${url.replace('http', 'ws')}/ws`, { token });
  client.connect();
  await client.room(`support:${id}`).act('set_priority', { priority });
  client.disconnect();
}

export class Customer {
  /** @param {string} url @param {string} name @param {{topic?: string, priority?: string, department?: string}} [about] */
  static async starts(url, name, { priority, ...about } = {}) {
    const customer = new Customer();
    const { session_id, token } = await call(url, '/api/chat/start', { contact_name: name, ...about });
    if (priority) await hurries(url, session_id, priority);
    return Object.assign(customer, { url, name, id: session_id, token });
  }

  says(message) {
    return call(this.url, '/api/public/chat/message', { session_id: this.id, message }, this.token);
  }

  rates(rating, feedback) {
    return call(this.url, '/api/chat/rate', { session_id: this.id, rating, feedback }, this.token);
  }

  leaves(contact) {
    return call(this.url, '/api/chat/contact', { session_id: this.id, ...contact }, this.token);
  }

  ends() {
    return call(this.url, '/api/chat/close', { session_id: this.id }, this.token);
  }

  /** How the session stands, as the customer may know it. */
  async asks() {
    const response = await fetch(`${this.url}/api/chat/session/${this.id}`, { headers: { Authorization: `Bearer ${this.token}` } });
    return (await response.json()).data;
  }

  /** A connection of the customer's own, in a page that does nothing else. Every frame is kept. @param {import('playwright-core').Browser} browser */
  async listens(browser) {
    this.context = await browser.newContext();
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(PATIENCE_MS);
    await this.page.goto(`${this.url}/icon.svg`);
    await this.page.evaluate(async ([token, id]) => {
      const { Kulkul } = await import('/client/index.js');
      const address = new URL('/ws', location.href);
      address.protocol = 'ws:';
      const client = new Kulkul(address.href, { token });
      window.frames_ = [];
      client.on('frame', (frame) => window.frames_.push(frame));
      client.connect();
      window.room = client.room(`support:${id}`);
      await window.room.join();
    }, [this.token, this.id]);
    return this;
  }

  types() {
    return this.page.evaluate(() => window.room.startTyping());
  }

  /** Reads all that there is. */
  reads() {
    return this.page.evaluate(() => window.room.act('mark_read', { upto: window.room.position }).then(() => {}));
  }

  /** Until a frame came that holds a text. */
  heard(text) {
    return this.page.waitForFunction((part) => window.frames_.some((frame) => JSON.stringify(frame).includes(part)), text);
  }

  frames() {
    return this.page.evaluate(() => window.frames_);
  }

  async goes() {
    await this.context?.close();
  }
}

export class Colleague extends Person {
  /** Through the door of the demo mode, or with a token. @param {import('playwright-core').Browser} browser
   * @param {{url: string, name: string, view?: "desk" | "supervisor", status?: string, token?: string, held?: boolean}} who */
  static async enters(browser, { url, name, view = 'desk', status, token, ...options }) {
    const opened = await Person.opens(browser, `${url}/support/${view}/`, options);
    const colleague = Object.assign(new Colleague(), opened, { name });
    await colleague.page.fill('#name', name);
    await colleague.page.click('#door button');
    if (token) {
      await colleague.page.fill('#token', token);
      await colleague.page.click('#key button');
    }
    await colleague.isConnected();
    await colleague.sees(view === 'desk' ? '#departments' : '#waiting', view === 'desk' ? 'You serve' : undefined);
    if (status) await colleague.is(status);
    return colleague;
  }

  /** @param {string} status */
  async is(status) {
    await this.page.check(`#status-${status}`, { force: true });
    await this.page.waitForFunction((wanted) => JSON.parse(sessionStorage.getItem('kulkul.desk.status') ?? '{}').status === wanted, status);
  }

  /** Until a chat with a customer is one's own, and shown. */
  async has(name) {
    await this.sees('#chats .chat-entry', name);
    await this.page.locator('#chats .chat-entry', { hasText: name }).click();
    await this.sees('#talk-title', name);
    await this.sees('#take:not([hidden]), #close:not([hidden])');
  }

  async takes(name) {
    await this.page.locator('#queue .waits', { hasText: name }).getByRole('button').click();
  }

  /** @param {"message" | "note"} mode */
  async writes(mode) {
    await this.page.check(`#mode-${mode}`, { force: true });
    await this.sees(`#composer[data-mode="${mode}"]`);
  }

  async says(text) {
    await this.page.fill('#say', text);
    await this.page.press('#say', 'Enter');
    await this.hears(text);
  }

  hears(text) {
    return this.page.locator('.said:not(.pending) .text', { hasText: text }).first().waitFor();
  }

  texts() {
    return this.page.locator('.said .text').allTextContents();
  }
}
