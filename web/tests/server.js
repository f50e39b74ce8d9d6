// The real server, in a folder of its own that outlives it: killed as by a power cut, and started again on the same port.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = process.env.KULKUL_BINARY;
if (!BINARY) throw new Error('KULKUL_BINARY is not set: run `cargo xtask pages`, which builds the server and names it');

/** What is ours alone: the server refuses settings that it does not know. */
export const CLEAN = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KULKUL_')));

/** Nobody listens there now; that nobody will in a moment is likely enough. */
async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

export class Server {
  /** @param {{config?: string | ((url: string) => string)}} options a config ends the demo mode */
  static async start({ config } = {}) {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), 'kulkul-pages-'));
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    server.args = [];
    if (config !== undefined) {
      writeFileSync(join(server.folder, 'kulkul.toml'), typeof config === 'string' ? config : config(server.url));
      server.args.push('--config', join(server.folder, 'kulkul.toml'));
    }
    await server.run();
    return server;
  }

  async run() {
    const args = ['serve', '--listen', `127.0.0.1:${this.port}`, '--data', this.folder, ...this.args];
    this.process = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...CLEAN, KULKUL_LOG: 'error' } });
    let said = '';
    this.process.stderr.on('data', (bytes) => (said = `${said}${bytes}`.slice(-4000)));
    const ready = new Promise((resolve, reject) => {
      createInterface({ input: this.process.stdout }).once('line', resolve);
      this.process.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
      this.process.once('error', reject);
    });
    await ready;
  }

  /** kill -9: nothing is flushed, nobody is told. */
  async kill() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await ended;
  }

  /** A token of its own secret. @param {string} user @param {string} name @param {string[]} more such as a role */
  async token(user, name, ...more) {
    const program = spawn(BINARY, ['token', '--user', user, '--name', name, ...more, ...(this.args.length > 0 ? this.args : ['--data', this.folder])], { stdio: ['ignore', 'pipe', 'inherit'], env: CLEAN });
    let token = '';
    program.stdout.on('data', (bytes) => (token += bytes));
    const code = await new Promise((resolve) => program.once('exit', resolve));
    if (code !== 0) throw new Error(`kulkul token ended with ${code}`);
    return token.trim();
  }

  async end() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
