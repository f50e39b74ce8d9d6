// Operators at the console: by their key, or by a link.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Person } from './people.js';
import { CLEAN } from './server.js';

/** What a server in demo mode made for this machine. @param {import('./server.js').Server} server */
export const keyOf = (server) => readFileSync(`${server.folder}/api-key`, 'utf8').trim();

/** One call as a back end makes it. @param {import('./server.js').Server} server @param {string} path @param {unknown} [body] */
export async function asks(server, path, body) {
  const response = await fetch(`${server.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'X-API-Key': keyOf(server), 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, told: await response.json() };
}

/** @param {import('./server.js').Server} server @param {...string} words of the command line */
export async function kulkul(server, ...words) {
  const program = spawn(process.env.KULKUL_BINARY, [...words, '--data', server.folder, '--url', server.url], { stdio: ['ignore', 'pipe', 'inherit'], env: CLEAN });
  let said = '';
  program.stdout.on('data', (bytes) => (said += bytes));
  await new Promise((resolve) => program.once('exit', resolve));
  return said.trim();
}

export class Operator extends Person {
  /** @param {import('playwright-core').Browser} browser @param {import('./server.js').Server} server @param {string} [at] behind the # */
  static async enters(browser, server, at = '/', options = {}) {
    const operator = await Operator.comes(browser, server, at, options);
    await operator.page.fill('#key', keyOf(server));
    await operator.page.click('#door button');
    await operator.isConnected();
    return operator;
  }

  static async comes(browser, server, at = '/', options = {}) {
    const person = await Person.opens(browser, `${server.url}/console/#${at}`, options);
    return Object.assign(Object.create(Operator.prototype), person, { name: 'the operator' });
  }

  /** @param {string} at behind the # */
  async goesTo(at) {
    await this.page.evaluate((hash) => (location.hash = hash), at);
  }

  /** @param {string} of */
  async figure(of) {
    const text = await this.page.locator(`[data-figure="${of}"] dd`).first().textContent();
    return Number((text ?? '').replace(/[^\d.]/g, '') || NaN);
  }
}
