// Every way in which a client can bring its token and choose compression, one round after another, a line told for each.

import { readFileSync } from 'node:fs';
import { play } from './scenario.mjs';

/** What xtask asks for: where the server is, and who may enter. */
export const asked = JSON.parse(process.env.KULKUL_INTEROP);
const steps = JSON.parse(readFileSync(new URL('../scenario.json', import.meta.url)));
export const scenario = { steps, tokens: asked.tokens };

/** Address, subprotocols and headers for a token in its place. */
export function entrance(place, who) {
  const token = asked.tokens[who];
  switch (place) {
    case 'query':
      return { url: `${asked.url}?token=${token}`, protocols: [], headers: {} };
    case 'subprotocol':
      return { url: asked.url, protocols: ['kulkul', `bearer.${token}`], headers: {} };
    case 'header':
      return { url: asked.url, protocols: [], headers: { Authorization: `Bearer ${token}` } };
    default:
      throw new Error(`no such place: ${place}`);
  }
}

/** `round(place, deflate, room)` gives the number of steps that were played. The first that fails is the last. */
export async function tell(places, deflates, round) {
  for (const place of places) {
    for (const deflate of deflates) {
      const told = { place, deflate };
      try {
        told.steps = await round(place, deflate, `${asked.room}-${place}-${deflate}`);
      } catch (error) {
        told.why = error.message;
      }
      console.log(JSON.stringify(told));
      if (told.why !== undefined) process.exit(1);
    }
  }
  process.exit(0);
}

/** The rounds of a client that lives in this process. */
export function tellOf(places, deflates, open) {
  return tell(places, deflates, (place, deflate, room) =>
    play(scenario, room, deflate, (who) => open(entrance(place, who), deflate)),
  );
}
