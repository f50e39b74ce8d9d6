// Node's own client, which decides for itself whether it offers compression.

import { tellOf } from './rounds.mjs';

await tellOf(['query', 'subprotocol', 'header'], ['own'], ({ url, protocols, headers }) => {
  return new WebSocket(url, { protocols, headers });
});
