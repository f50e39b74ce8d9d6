// One match as a page follows it: its room, joined for the actions, and the fold of them. Whether that is a member's room or the seat of
// somebody without a token, it does not see. What one says oneself is acknowledged and not told again, so the lines since then are asked
// for. It shows nothing.

import { Skew } from "./clock.js";
import { Match } from "./match.js";

/** @typedef {import("../client/index.js").Kulkul} Kulkul */
/** @typedef {import("./open.js").Open} Open */
/** @typedef {import("../../clients/js/src/types.d.ts").Frame} Frame */
/** @typedef {import("../../clients/js/src/refusal.js").Refusal} Refusal */

/** A sheet has 256 KiB a page and a log 768 KiB. */
const PAGES_MAX = 8;

export class Follow {
  match = new Match();
  skew = new Skew();
  /** Who one is here, once the room has said so. @type {string} */
  role = "";
  /** @type {{userId: string, role: string}[]} */
  officials = [];
  /** Joined, and there is no match yet: for officials alone. */
  unborn = false;
  #asking = /** @type {Promise<void> | null} */ (null);
  #again = false;

  /**
   * @param {Kulkul | Open} client where its frames come from; who only watches needs no more of it than Open has
   * @param {string} id
   * @param {{changed: (what: "match" | "room", line?: import("./match.js").Line) => void, lines?: boolean}} page `lines`: it wants all of
   *   them, also those that are undone
   */
  constructor(client, id, page) {
    this.client = client;
    this.id = id;
    this.page = page;
    this.room = client.room(`scores:${id}`);
    const { room } = this;
    this.stops = [
      room.on("about", () => this.#welcomed()),
      room.on("messages", ({ kind }) => kind === "replaced" && this.#anew(room.view)),
      room.on("event", (frame) => this.#hear(frame)),
      room.on("state", () => page.changed("room")),
      client.on("frame", (frame) => this.#times(frame)),
    ];
  }

  get state() {
    return this.match.state;
  }

  /** Why one is not in, if one is not. @returns {Refusal | null} */
  get refusal() {
    return this.room.state === "refused" ? this.room.error : null;
  }

  /** The server's time, as well as it is known. */
  get now() {
    return this.skew.at(Date.now());
  }

  join() {
    this.room.join({ payload: { mode: "delta" } }).catch(() => this.page.changed("room"));
  }

  /** In again, to be told anew who one is here. */
  again() {
    this.room.leave();
    this.join();
  }

  leave() {
    for (const stop of this.stops) stop();
    this.room.leave();
  }

  /**
   * Resolves with the server's answer, when what came of it is here too.
   * @param {string} word @param {Record<string, any>} payload
   */
  async say(word, payload) {
    const answer = await this.room.act(word, payload);
    // It is stored, whatever becomes of this: the next connection brings what is missing.
    if (answer.position) await (["undo", "redo", "correct"].includes(word) ? this.whole() : this.catchUp()).catch(() => {});
    return answer;
  }

  /** What is not here yet; once at a time. @returns {Promise<void>} */
  catchUp() {
    this.#again = this.#asking !== null;
    this.#asking ??= this.#pages((this.state?.actions ?? 0) + 1).finally(() => {
      this.#asking = null;
      if (this.#again) return this.catchUp();
    });
    return this.#asking;
  }

  /** Every line, with what is undone and what is set aside. */
  async whole() {
    await this.#asking;
    await this.#pages(1);
  }

  /** @param {number} first */
  async #pages(first) {
    /** @type {number | null} */
    let from = first;
    for (let pages = 0; from !== null && pages < PAGES_MAX; pages += 1) {
      const { payload } = await this.room.ask("get_sheet", { from });
      this.match.page(payload, first);
      from = payload.next;
    }
    this.unborn = false;
    this.page.changed("match");
  }

  #welcomed() {
    const about = /** @type {any} */ (this.room.about);
    if (!about?.matchId) return;
    this.role = about.role;
    this.officials = about.officials ?? this.officials;
    this.unborn = about.data === null;
    this.match.begin(about.data);
    if (this.page.lines && about.data) this.whole().catch(() => {});
    this.page.changed("match");
  }

  /** @param {any} view */
  #anew(view) {
    if (!view?.matchId) return;
    this.match = new Match();
    this.match.begin(view);
    if (this.page.lines) this.whole().catch(() => {});
    this.page.changed("match");
  }

  /** @param {Frame} frame */
  #hear({ type, payload }) {
    if (type === "match_created") {
      this.unborn = false;
      this.match.begin(payload.data);
      this.page.changed("match");
    } else if (type === "match_action") {
      const done = this.match.take(payload);
      if (done === "behind") this.catchUp().catch(() => {});
      else if (done === "taken") this.page.changed("match", { ...payload.line, action: payload.action });
    } else if (type === "match_amended") {
      this.match.amended(payload.data);
      if (this.page.lines) this.whole().catch(() => {});
      this.page.changed("match");
    }
  }

  /** @param {Frame} frame */
  #times({ type, timestamp }) {
    if (type === "room_info") this.skew.answered(timestamp, Date.now());
    else this.skew.hear(timestamp, Date.now());
  }
}
