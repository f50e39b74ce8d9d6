// Where in a long list one is reading, kept while the list grows at both ends, over other rooms and over a reload.

/** This near to the end is at the end. */
const NEAR_PX = 60;
/** Rooms whose place is kept; the oldest go first. */
const ROOMS_MAX = 50;
const KEPT = "kulkul.place";

/** @typedef {{id: string, top: number}} Spot a message, and how far below the upper edge it stands */

export class Place {
  /** @param {HTMLElement} scroll @param {HTMLElement} list */
  constructor(scroll, list) {
    this.scroll = scroll;
    this.list = list;
    this.isAtEnd = true;
    /** @type {Map<string, Spot>} where rooms were left, if not at their end */
    this.left = new Map();
    /** @type {string | null} */
    this.room = null;
    try {
      this.left = new Map(JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"));
    } catch {
      // Storage may be turned off, or hold something else; then every room begins at its end.
    }
    addEventListener("pagehide", () => this.room !== null && this.remember(this.room));
  }

  top() {
    return this.scroll.scrollTop;
  }

  /** Takes note of a movement. True: at the end. */
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    this.isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    return this.isAtEnd;
  }

  toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.isAtEnd = true;
  }

  /** What was at the end stays there when the box becomes smaller, by a keyboard for instance. */
  resized() {
    if (this.isAtEnd) this.toEnd();
  }

  /** Changes the list under the eyes of a reader, who sees the same as before, or the end. @param {() => void} change */
  keeping(change) {
    const spot = this.isAtEnd ? null : this.spot();
    change();
    if (this.isAtEnd) this.toEnd();
    else if (spot) this.put(spot);
  }

  /** @param {HTMLElement} item */
  show(item) {
    item.scrollIntoView({ block: "center" });
    item.focus({ preventScroll: true });
    this.scrolled();
  }

  /** @param {string} room */
  remember(room) {
    const spot = this.isAtEnd ? null : this.spot();
    this.left.delete(room);
    if (spot) this.left.set(room, spot);
    if (this.left.size > ROOMS_MAX) this.left.delete(/** @type {string} */ (this.left.keys().next().value));
    try {
      sessionStorage.setItem(KEPT, JSON.stringify([...this.left]));
    } catch {
      // As above.
    }
  }

  /** @param {string} room */
  kept(room) {
    return this.left.get(room);
  }

  /** Back to where the room was left, if that is loaded; else to its end. @param {string} room */
  recall(room) {
    this.room = room;
    const spot = this.left.get(room);
    this.isAtEnd = true;
    if (spot && this.put(spot)) this.scrolled();
    else this.toEnd();
  }

  /** The first message that can be seen. @returns {Spot | null} */
  spot() {
    const edge = this.scroll.getBoundingClientRect().top;
    for (const item of /** @type {Iterable<HTMLElement>} */ (this.list.children)) {
      const { top, bottom } = item.getBoundingClientRect();
      if (bottom > edge && item.dataset.id) return { id: item.dataset.id, top: top - edge };
    }
    return null;
  }

  /** @param {Spot} spot */
  put({ id, top }) {
    const item = this.list.querySelector(`[data-id="${CSS.escape(id)}"]`);
    if (!item) return false;
    const now = item.getBoundingClientRect().top - this.scroll.getBoundingClientRect().top;
    this.scroll.scrollTop += now - top;
    return true;
  }
}
