// The sides: beside the room where there is place for them, drawers over it where there is none.

import { $ } from "../elements.js";

/** As in chat.css. */
const SIDES = [
  { side: "rooms-side", opener: "show-rooms", narrow: matchMedia("(max-width: 56rem)") },
  { side: "people-side", opener: "show-people", narrow: matchMedia("(max-width: 74rem)") },
];

export class Drawers {
  constructor() {
    for (const { side, opener, narrow } of SIDES) {
      $(opener).addEventListener("click", () => this.open(side, opener));
      narrow.addEventListener("change", () => this.close());
    }
    for (const closer of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-close]"))) {
      closer.addEventListener("click", () => this.close());
    }
    $("middle").addEventListener("click", (event) => {
      const opener = /** @type {HTMLElement} */ (event.target).closest("#show-rooms, #show-people");
      if (!opener && this.isOpen()) this.close();
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.isOpen() && !event.defaultPrevented) this.close();
    });
    this.settle();
  }

  isOpen() {
    return SIDES.some(({ side, narrow }) => narrow.matches && $(side).classList.contains("open"));
  }

  /** @param {string} side @param {string} opener */
  open(side, opener) {
    for (const other of SIDES) $(other.side).classList.toggle("open", other.side === side);
    this.settle();
    this.opener = opener;
    /** @type {HTMLElement | null} */ ($(side).querySelector("[aria-current], [data-close]"))?.focus();
  }

  close() {
    const had = this.isOpen();
    for (const { side } of SIDES) $(side).classList.remove("open");
    this.settle();
    if (had && this.opener) $(this.opener).focus();
  }

  /** What cannot be seen cannot be reached either; and behind an open drawer the room rests. */
  settle() {
    let covered = false;
    for (const { side, opener, narrow } of SIDES) {
      const open = $(side).classList.contains("open");
      $(side).inert = narrow.matches && !open;
      $(opener).setAttribute("aria-expanded", String(open));
      covered ||= narrow.matches && open;
    }
    $("chat").classList.toggle("covered", covered);
  }
}
