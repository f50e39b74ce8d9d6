// A user's own room: what back ends told them, what they have read on which device, which rooms are theirs.

import { isNewer } from "./codec.js";
import { Emitter } from "./emitter.js";
import { Refusal } from "./refusal.js";

/** @import { LiveRoom } from "./room.js" */
/** @import { Channel, Frame, InboxEvents, Mark, Notification, Position } from "./types.js" */

const NOTIFICATIONS_MAX = 100;
/** As many rooms as one is likely to have read in; the oldest mark goes first. */
const MARKS_MAX = 10_000;

/** @extends {Emitter<InboxEvents>} */
export class Inbox extends Emitter {
  /** The newest last. @type {Notification[]} */
  notifications = [];
  /** @type {Map<string, Mark>} by the room's one name */
  #marks = new Map();
  /** @type {Map<string, Channel>} by full name */
  #channels = new Map();
  /** @type {LiveRoom | null} */
  #room = null;
  /** Marks on their way, and the newest one behind each. @type {Map<string, Position | null>} */
  #marking = new Map();
  #find;
  #key;
  #told;

  /**
   * @param {() => LiveRoom | null} find the room, once it is known whose
   * @param {(name: string) => string} key one name for a room, however it is written
   * @param {(mark: Mark) => void} told a mark is further than before
   */
  constructor(find, key, told) {
    super();
    this.#find = find;
    this.#key = key;
    this.#told = told;
  }

  get marks() {
    return [...this.#marks.values()];
  }

  get channels() {
    return [...this.#channels.values()];
  }

  /** Joins it; from then on marks and channels follow the user's other devices. */
  open() {
    return this.#entered().join();
  }

  /** Rooms that the user belongs to, and direct rooms with messages. @returns {Promise<Channel[]>} */
  async getChannels() {
    const { payload } = await this.#entered().ask("get_channels");
    for (const { room_id, read_upto } of payload.channels) if (read_upto) this.#mark({ room_id, upto: read_upto });
    this.#setChannels(payload.channels);
    return this.channels;
  }

  /**
   * All of the room up to there is read. While one mark is on its way only the newest of the next ones is kept.
   *
   * @param {string} room full or short
   * @param {Position} upto
   * @returns {Promise<unknown>}
   */
  async markRead(room, upto) {
    const waiting = this.#marking.get(room);
    if (waiting !== undefined) {
      if (isNewer(waiting, upto)) this.#marking.set(room, upto);
      return;
    }
    this.#marking.set(room, null);
    try {
      const answer = await this.#entered().act("mark_read", { room_id: room, upto });
      // Without having joined it nothing else would say so.
      if (this.#mark({ room_id: room, upto })) this.emit("marks", this.marks);
      return answer;
    } finally {
      const next = this.#marking.get(room);
      this.#marking.delete(room);
      if (next) this.markRead(room, next).catch(() => {});
    }
  }

  #entered() {
    if (this.#room) return this.#room;
    const room = this.#find();
    if (!room) throw new Refusal("NO_USER", "nobody knows whose inbox: the token does not say; give `user` to the client");
    this.#room = room;
    room.on("event", (frame) => this.#hear(frame));
    room.on("about", () => this.#view(room.view));
    room.on("messages", ({ kind }) => kind === "replaced" && this.#view(room.view));
    return room;
  }

  /** @param {{marks?: Mark[], channels?: Channel[]} | null} view */
  #view(view) {
    for (const mark of view?.marks ?? []) this.#mark(mark);
    if (view?.channels) this.#setChannels(view.channels);
    if (view?.marks) this.emit("marks", this.marks);
  }

  /** @param {Frame} frame */
  #hear({ type, payload, id = "", timestamp = "", position, sender }) {
    if (type === "notification" && position) {
      const notification = { id, payload, timestamp, position, sender };
      this.notifications = [...this.notifications, notification].slice(-NOTIFICATIONS_MAX);
      this.emit("notification", notification);
    } else if (type === "read_marked") {
      if (this.#mark(payload)) this.emit("marks", this.marks);
    } else if (type === "channel_changed") {
      const before = this.#channels.get(payload.room_id);
      this.#channels.set(payload.room_id, { ...before, ...payload });
      this.emit("channels", this.channels);
    } else if (type === "channel_removed") {
      this.#channels.delete(payload.room_id);
      this.emit("channels", this.channels);
    }
  }

  /** @param {Channel[]} channels */
  #setChannels(channels) {
    this.#channels = new Map(channels.map((channel) => [channel.room_id, channel]));
    this.emit("channels", this.channels);
  }

  /** @param {Mark} mark @returns {boolean} whether it is news */
  #mark(mark) {
    const key = this.#key(mark.room_id);
    if (!isNewer(this.#marks.get(key)?.upto, mark.upto)) return false;
    this.#marks.delete(key);
    this.#marks.set(key, { room_id: mark.room_id, upto: mark.upto });
    if (this.#marks.size > MARKS_MAX) this.#marks.delete(/** @type {string} */ (this.#marks.keys().next().value));
    this.#told(mark);
    return true;
  }
}
