// The conversation of scenario.json, over any client that has the interface of the browser's WebSocket. It imports nothing,
// because it also runs in a page.

const PATIENCE_MS = 10000;
const FRAMES_MAX = 100;

/** Plays every step; `open(who)` gives a socket that has not opened yet. Throws at the first step that goes wrong. */
export async function play({ steps, tokens }, room, deflate, open) {
  const words = { $room: room, $long: 'a message that is worth compressing, ä🐎 '.repeat(12) };
  for (const [who, token] of Object.entries(tokens)) words[`$${who}`] = token;
  const people = new Map();
  for (const [index, step] of steps.entries()) {
    try {
      await act(step, words, deflate, people, open);
    } catch (error) {
      throw new Error(`step ${index + 1}, ${step.who} ${step.do}: ${error.message}`);
    }
  }
  return steps.length;
}

async function act(step, words, deflate, people, open) {
  switch (step.do) {
    case 'connect': {
      const person = listen(open(step.who));
      people.set(step.who, person);
      await person.next('open');
      const agreed = person.socket.extensions.includes('permessage-deflate');
      if (deflate !== 'own' && agreed !== (deflate === 'on')) {
        throw new Error(`compression is ${agreed ? 'on' : 'off'}: ${person.socket.extensions}`);
      }
      return;
    }
    case 'say':
      return people.get(step.who).socket.send(JSON.stringify(filled(step.frame, words)));
    case 'hear': {
      const wanted = filled(step.frame, words);
      for (let count = 0; count < FRAMES_MAX; count += 1) {
        const frame = JSON.parse(await people.get(step.who).next('message'));
        if (holds(frame, wanted)) return;
        if (frame.type === 'error') throw new Error(JSON.stringify(frame));
      }
      throw new Error(`${FRAMES_MAX} frames, and not one is ${JSON.stringify(wanted)}`);
    }
    case 'close': {
      const person = people.get(step.who);
      person.socket.close(step.code, 'done');
      const code = await person.next('close');
      if (code !== step.code) throw new Error(`closed with ${code}, expected ${step.code}`);
      return;
    }
    default:
      throw new Error('no such step');
  }
}

/** What a socket says, in its order, to be asked for one at a time. */
function listen(socket) {
  const heard = [];
  let wake = () => {};
  const note = (kind, what) => {
    heard.push({ kind, what });
    wake();
  };
  socket.addEventListener('open', () => note('open'));
  socket.addEventListener('message', (event) => note('message', String(event.data)));
  socket.addEventListener('close', (event) => note('close', event.code));
  socket.addEventListener('error', (event) => note('error', event.message || 'the client reports an error'));
  const next = async (kind) => {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const first = heard.shift();
      if (first?.kind === kind) return first.what;
      if (first?.kind === 'error') throw new Error(first.what);
      if (first?.kind === 'close') throw new Error(`closed with ${first.what}`);
      if (first) continue;
      await new Promise((resolve, reject) => {
        const late = () => reject(new Error(`no ${kind} within ${PATIENCE_MS} ms`));
        const timer = setTimeout(late, Math.max(0, deadline - Date.now()));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  return { socket, next };
}

/** The frame with its `$words` replaced. */
function filled(value, words) {
  if (typeof value === 'string') return words[value] ?? value;
  if (Array.isArray(value)) return value.map((inner) => filled(inner, words));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner, words)]));
}

/** Whether all that is wanted is there; more may be. */
function holds(frame, wanted) {
  if (wanted === null || typeof wanted !== 'object') return frame === wanted;
  if (frame === null || typeof frame !== 'object') return false;
  return Object.entries(wanted).every(([key, inner]) => holds(frame[key], inner));
}
