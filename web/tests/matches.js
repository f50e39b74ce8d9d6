// Matches that are there before anybody looks: made and played over a connection of the test's own.

import { Kulkul } from '../../clients/js/src/index.js';
import { READY, squadOf } from '../scores/squads.js';

/** A token of the demo mode. @param {string} url @param {string} name @param {string} [role] */
export async function token(url, name, role) {
  const response = await fetch(`${url}/demo/token`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name, role }) });
  return (await response.json()).token;
}

/** @type {Set<Kulkul>} */
const clients = new Set();

/** A client of the native protocol. @param {string} url @param {string} name @param {string} [role] @param {string} [given] a token, where none is given away */
export async function client(url, name, role, given) {
  const made = new Kulkul(`${url.replace('http', 'ws')}/ws`, { token: given ?? (await token(url, name, role)) });
  clients.add(made);
  made.connect();
  return made;
}

/** Whoever is still there after a test that failed would keep its process from ending. */
export function allGo() {
  for (const one of clients) one.disconnect();
}

/** @param {{name: string, text: string}} ready @param {string} prefix */
function team({ name, text }, prefix) {
  const { faults, ...squad } = squadOf(text, prefix);
  if (faults.length > 0) throw new Error(faults.join(' '));
  return { name, ...squad };
}

/** A match as its organizer has it. */
export class Played {
  /** Lined up, and the toss won by the first side, which raids. @param {string} url @param {string} id @param {object} [about] */
  static async begins(url, id, about = {}) {
    const played = await Played.created(url, id, about);
    for (const [letter, prefix] of [['A', 'a'], ['B', 'b']]) {
      await played.says('line_up', { team: letter, playerIds: [1, 2, 3, 4, 5, 6, 7].map((number) => `${prefix}0${number}`) });
    }
    await played.says('toss', { winner: 'A', decision: 'raid' });
    return played;
  }

  /** @param {string} url @param {string} id @param {{token?: string, [field: string]: unknown}} [about] */
  static async created(url, id, { token: given, ...about } = {}) {
    const played = new Played();
    played.client = await client(url, 'Organizer', 'organizer', given);
    played.room = played.client.room(`scores:${id}`);
    await played.says('create', { title: 'Uluwatu v Batur', teamA: team(READY.teamA, 'a'), teamB: team(READY.teamB, 'b'), ...about });
    return played;
  }

  async says(word, payload = {}) {
    return (await this.room.act(word, payload)).payload;
  }

  async stands() {
    return (await this.room.ask('get_match')).payload;
  }

  async sheet() {
    return (await this.room.ask('get_sheet')).payload.sheet;
  }

  goes() {
    this.client.disconnect();
  }
}
