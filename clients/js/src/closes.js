// What the end of a connection means. A test holds this table against the one in docs/protocol.md.

/**
 * Come back: yes, no, with a new token, or after the delay in the words. A code that is not here: yes.
 *
 * @type {Readonly<Record<number, {words: string, back: "yes" | "no" | "new token" | "delay"}>>}
 */
export const CLOSES = Object.freeze({
  1001: { words: "going away", back: "yes" },
  1002: { words: "protocol error", back: "no" },
  1007: { words: "invalid utf-8 or compressed data", back: "no" },
  1008: { words: "policy violation", back: "no" },
  1009: { words: "message too big", back: "no" },
  1011: { words: "internal error", back: "yes" },
  4401: { words: "token expired", back: "new token" },
  4408: { words: "authentication timeout", back: "yes" },
  4410: { words: "too slow", back: "yes" },
  4412: { words: "draining", back: "delay" },
  4429: { words: "rate limit", back: "delay" },
  4500: { words: "bad message", back: "no" },
  4503: { words: "forbidden", back: "no" },
  4509: { words: "replaced by a newer connection", back: "no" },
});

/**
 * The delay that the server names in a close's words; 0: none.
 *
 * @param {string | undefined} words
 */
export function retryAfter(words) {
  const named = /retry after (\d{1,9}) ms/.exec(words ?? "");
  return named ? Number(named[1]) : 0;
}
