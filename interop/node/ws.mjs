// The `ws` package.

import { WebSocket } from 'ws';
import { tellOf } from './rounds.mjs';

await tellOf(['query', 'subprotocol', 'header'], ['on', 'off'], ({ url, protocols, headers }, deflate) => {
  const perMessageDeflate = deflate === 'on';
  return new WebSocket(url, protocols, { headers, perMessageDeflate });
});
