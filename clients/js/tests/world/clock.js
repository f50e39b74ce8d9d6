// Time and chance as a test wants them: nothing passes unless it is told to.

export class TestClock {
  #now = Date.UTC(2026, 0, 1, 10);
  #timers = new Map();
  #number = 0;

  /** @param {() => number} random */
  constructor(random = () => 0.5) {
    this.random = random;
  }

  now() {
    return this.#now;
  }

  later(work, ms) {
    const timer = { at: this.#now + ms, number: ++this.#number, work };
    this.#timers.set(timer, timer);
    return timer;
  }

  cancel(timer) {
    this.#timers.delete(timer);
  }

  /** When the next timer is due, from now; null: none is set. */
  get next() {
    const first = this.#first();
    return first && first.at - this.#now;
  }

  #first() {
    return [...this.#timers.values()].sort((a, b) => a.at - b.at || a.number - b.number)[0] ?? null;
  }

  /** Runs all that is due until then, in order, and what each leads to. */
  async pass(ms) {
    const until = this.#now + ms;
    await settled();
    for (let timer = this.#first(); timer && timer.at <= until; timer = this.#first()) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.work();
      await settled();
    }
    this.#now = until;
  }
}

/** All promises that can go on by themselves have gone on: a turn of the loop comes after every one of them. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Repeatable chance: mulberry32. @param {number} seed */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
