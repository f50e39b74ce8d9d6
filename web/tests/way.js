// The way from one browser to the server, which can be cut and mended while the server goes on for everybody else.

import { connect, createServer } from 'node:net';

export class Way {
  /** @param {number} to the server's port */
  static async opens(to) {
    const way = new Way();
    way.isCut = false;
    /** What is answered to whoever comes while it is cut. */
    way.answer = '';
    /** @type {Set<import('node:net').Socket>} */
    way.sockets = new Set();
    way.listener = createServer((near) => {
      if (way.isCut && way.answer === '') return near.destroy();
      near.on('error', () => {});
      if (way.isCut) return near.once('data', () => near.end(way.answer));
      const far = connect(to, '127.0.0.1');
      for (const [one, other] of [[near, far], [far, near]]) {
        way.sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => (way.sockets.delete(one), other.destroy()));
        one.pipe(other);
      }
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => way.listener.once('listening', resolve));
    way.url = `http://127.0.0.1:${way.listener.address().port}`;
    return way;
  }

  /** @param {string} [status] such as that of a proxy whose server is away; none: connections end */
  cut(status) {
    this.isCut = true;
    this.answer = status ? `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n` : '';
    for (const socket of this.sockets) socket.destroy();
  }

  /** Those who are on it hear nothing any more, and nobody tells them; whoever comes anew is let through. */
  stall() {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  mend() {
    this.isCut = false;
  }

  async end() {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}
