// A second implementation of the WebSocket interface: what its other side does, the test says. As strict as a browser's.

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

/** A class of sockets, and those that were opened of it. */
export function network() {
  const sockets = [];
  class TestSocket {
    readyState = CONNECTING;
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    /** Frames that the client sent, as texts and parsed. */
    texts = [];
    sent = [];
    /** What the test wants to hear of each frame at once. */
    answer = null;

    constructor(url, protocols = []) {
      new URL(url);
      if (protocols.some((name) => !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) || new Set(protocols).size < protocols.length) {
        throw new SyntaxError(`not a subprotocol in ${JSON.stringify(protocols)}`);
      }
      Object.assign(this, { url, protocols });
      sockets.push(this);
    }

    send(text) {
      if (this.readyState === CONNECTING) throw new DOMException("still connecting", "InvalidStateError");
      if (this.readyState !== OPEN) return;
      this.texts.push(text);
      const frame = JSON.parse(text);
      this.sent.push(frame);
      this.answer?.(frame);
    }

    close(code) {
      if (this.readyState < CLOSING) this.readyState = CLOSING;
      this.closedWith = code;
    }

    /** The upgrade is done. */
    accept() {
      this.readyState = OPEN;
      this.onopen?.({});
    }

    deliver(frame) {
      if (this.readyState !== OPEN) return;
      this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
    }

    /** It ends, as a close frame or the network had it. */
    end(code = 1006, reason = "") {
      if (this.readyState === CLOSED) return;
      const failed = this.readyState === CONNECTING || code === 1006;
      this.readyState = CLOSED;
      if (failed) this.onerror?.({});
      this.onclose?.({ code, reason });
    }

    /** The frames of a type, among those sent. */
    of(type) {
      return this.sent.filter((frame) => frame.type === type);
    }
  }
  return {
    WebSocket: TestSocket,
    sockets,
    get last() {
      return sockets[sockets.length - 1];
    },
  };
}
