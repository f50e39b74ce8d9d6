// Who wants to know what. A listener that throws harms neither the others nor the conversation: its error surfaces by itself.

/** @template {object} Events */
export class Emitter {
  /** @type {Map<keyof Events, Set<(what: any) => void>>} */
  #listeners = new Map();

  /**
   * Gives back what takes the listener off again.
   *
   * @template {keyof Events} K
   * @param {K} type
   * @param {(what: Events[K]) => void} listener
   * @returns {() => void}
   */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /**
   * @internal
   * @template {keyof Events} K
   * @param {K} type
   * @param {Events[K]} what
   */
  emit(type, what) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(what);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
