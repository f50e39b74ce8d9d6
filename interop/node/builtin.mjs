// Node's own client, which decides for itself whether it offers compression.

import { tellOf } from './rounds.mjs';

if (typeof WebSocket === 'undefined') {
  throw new Error('this Node has no WebSocket of its own; from version 20.10 on it has, with --experimental-websocket');
}
await tellOf(['query', 'subprotocol', 'header'], ['own'], ({ url, protocols, headers }) => {
  return new WebSocket(url, { protocols, headers });
});
