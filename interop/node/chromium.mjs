// Chromium without a window: the conversation runs in the server's own page, so that its origin and its policy count. It
// always offers compression, and a page cannot set a header.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { asked, entrance, scenario, tell } from './rounds.mjs';

const PATIENCE_MS = 60000;

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The browser, and the address under which it can be spoken to. */
async function started(profile) {
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  // It takes no authority from a file; the others check the certificate.
  if (asked.page.startsWith('https:')) flags.push('--ignore-certificate-errors');
  const browser = spawn(asked.chromium, [...flags, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ready = new Promise((resolve, reject) => {
    browser.once('error', reject);
    browser.once('exit', (code) => reject(new Error(`Chromium ended with ${code}`)));
    createInterface({ input: browser.stderr }).on('line', (line) => {
      const found = /DevTools listening on (ws:\S+)/.exec(line);
      if (found) resolve(found[1]);
    });
  });
  return { browser, ready };
}

/** Asks over the DevTools protocol, an answer for each question; and waits for what it tells unasked. */
class Tools {
  constructor(socket) {
    this.socket = socket;
    this.waiting = new Map();
    this.news = new Map();
    this.count = 0;
    socket.on('message', (text) => {
      const { id, method, result, error } = JSON.parse(text);
      this.news.get(method)?.();
      const answer = this.waiting.get(id);
      this.waiting.delete(id);
      if (answer) error ? answer.reject(new Error(error.message)) : answer.resolve(result);
    });
  }

  ask(method, params, sessionId) {
    const id = (this.count += 1);
    const answered = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return within(answered, method);
  }
}

async function arrived(tools, session, url) {
  // Before the page there is an empty one, whose origin is none and must not get in.
  const loaded = new Promise((resolve) => tools.news.set('Page.loadEventFired', resolve));
  await tools.ask('Page.enable', {}, session);
  const { errorText } = await tools.ask('Page.navigate', { url }, session);
  if (errorText) throw new Error(`${url}: ${errorText}`);
  await within(loaded, url);
  const at = await evaluated(tools, session, 'location.href');
  if (at !== url) throw new Error(`the page is ${at}, expected ${url}`);
}

async function evaluated(tools, session, expression) {
  const params = { expression, awaitPromise: true, returnByValue: true };
  const { result, exceptionDetails } = await tools.ask('Runtime.evaluate', params, session);
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description?.split('\n')[0] ?? exceptionDetails.text);
  return result.value;
}

const { browser, ready } = await started(asked.profile);
process.on('exit', () => browser.kill('SIGKILL'));
const socket = new WebSocket(await within(ready, 'Chromium'));
await within(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 'DevTools');
const tools = new Tools(socket);
const { targetId } = await tools.ask('Target.createTarget', { url: 'about:blank' });
const { sessionId } = await tools.ask('Target.attachToTarget', { targetId, flatten: true });
await arrived(tools, sessionId, asked.page);
const script = readFileSync(new URL('./scenario.mjs', import.meta.url), 'utf8').replace('export async', 'async');

await tell(['query', 'subprotocol'], ['on'], (place, deflate, room) => {
  const doors = { ana: entrance(place, 'ana'), bo: entrance(place, 'bo') };
  const open = `(who) => new WebSocket(${JSON.stringify(doors)}[who].url, ${JSON.stringify(doors)}[who].protocols)`;
  const call = `play(${JSON.stringify(scenario)}, ${JSON.stringify(room)}, ${JSON.stringify(deflate)}, ${open})`;
  return evaluated(tools, sessionId, `(() => { ${script}\nreturn ${call}; })()`);
});
