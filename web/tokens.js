// The token that a client comes with, and how it is told from a network that is down: a browser does not say why it could not
// connect.

import { Refusal } from "./client/index.js";

/** Refused upgrades in a row, with the server there, until the token is held to be the reason. */
const REFUSALS_MAX = 2;
const PATIENCE_MS = 5000;

/** Whatever a node says, even a refusal, means that it is there. */
async function isThere() {
  try {
    return (await fetch(new URL("ws/online", import.meta.url), { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) })).ok;
  } catch {
    return false;
  }
}

/** Asked for at first, and again after every try that came to no connection. @param {typeof import("./identity.js").identity} identity */
export function tokens(identity) {
  let refusals = -1;
  return {
    async give() {
      const { now } = identity;
      if (refusals < 0 || (await isThere())) refusals += 1;
      if (!now || identity.ended() || refusals > REFUSALS_MAX) throw new Refusal("TOKEN_ENDED", "the token has ended");
      return now.token;
    },
    taken() {
      refusals = -1;
    },
  };
}
