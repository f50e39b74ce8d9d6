// Who is here, who belongs here and is away, who was put out; and beside each what one may do about them.

import { $, duration, face, make, tell } from "../elements.js";
import { menu } from "../overlays.js";
import { choices } from "./moderation.js";
import { isAlone, learn, nameOf } from "./names.js";
import { moderates } from "./timeline.js";

/** @typedef {import("../client/index.js").Room} Room */
/** @typedef {import("../../clients/js/src/types.d.ts").Person} Person */
/** @typedef {import("../../clients/js/src/types.d.ts").Member} Member */
/** @typedef {import("../../clients/js/src/types.d.ts").Members} Members */
/** @typedef {Omit<Members, "members"> & {members: (Person & Pick<Member, "role">)[]}} Belonging */

/** Events after which the list of members is another. */
const CHANGES = /^(member_|role_changed|room_changed|user_erased)/;
const ASK_MS = 150;
const ROLES = /** @type {Record<string, string>} */ ({ owner: "owner", moderator: "moderator", warden: "warden" });

export class People {
  /** @param {{id: string, name: string}} me @param {(userId: string) => void} write opens the room that one has with somebody */
  constructor(me, write) {
    this.me = me;
    this.write = write;
    /** @type {Room | null} */
    this.room = null;
    /** @type {Belonging | null} */
    this.members = null;
    /** @type {(() => void)[]} */
    this.listening = [];
    this.asking = 0;
    this.timer = 0;
  }

  /** @param {Room} room */
  show(room) {
    for (const stop of this.listening) stop();
    this.room = room;
    this.members = null;
    this.listening = [
      room.on("people", () => this.soon()),
      room.on("about", () => this.ask()),
      room.on("state", () => (this.ask(), this.soon())),
      room.on("event", ({ type }) => CHANGES.test(type) && this.ask()),
    ];
    this.ask();
    this.render();
  }

  /** Who belongs here; many changes are asked about once. */
  ask() {
    clearTimeout(this.asking);
    this.asking = setTimeout(async () => {
      const { room } = this;
      if (room?.state !== "open") return;
      try {
        const members = await room.getMembers();
        if (this.room !== room) return;
        this.members = { ...members, members: members.members.map(named) };
        this.members.members.forEach(learn);
        this.soon();
      } catch {
        // A room without members' words, or one that was left meanwhile: who is here is told all the same.
      }
    }, ASK_MS);
  }

  soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.render();
    }, 16);
  }

  render() {
    const { room, me } = this;
    if (!room) return;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.person;
    const isIn = room.state === "open" || room.state === "catching-up" || room.state === "joining";
    const here = isIn ? [...room.people].sort((a, b) => Number(b.id === me.id) - Number(a.id === me.id) || a.name.localeCompare(b.name)) : [];
    const count = isIn ? room.count : 0;
    $("here").replaceChildren(...here.map((person) => this.entry(person, true)));
    tell("people-count", count > 0 ? count.toLocaleString() : "");
    const when = room.state === "joining" && count > 0 ? "Here before the cut" : "Here now";
    $("here-title").textContent = count > 0 ? `${when}: ${count.toLocaleString()}` : when;
    $("alone").hidden = !(room.state === "open" && count <= 1 && !isAlone(room));
    tell("more-here", count > here.length && here.length > 0 ? `and ${(count - here.length).toLocaleString()} more` : here.length === 0 && count > 0 ? "They are too many to be named." : "");
    const present = new Set(here.map(({ id }) => id));
    const away = (this.members?.members ?? []).filter(({ id }) => !present.has(id));
    $("members-part").hidden = away.length === 0;
    $("members").replaceChildren(...away.map((person) => this.entry(person, false)));
    const banned = this.members?.banned ?? [];
    $("out-part").hidden = banned.length === 0;
    $("banned").replaceChildren(...banned.map((id) => this.entry({ id, name: nameOf(id) }, false)));
    if (focused) /** @type {HTMLElement | null} */ (document.querySelector(`#people-side [data-person="${CSS.escape(focused)}"]`))?.focus({ preventScroll: true });
  }

  /** @param {string} id */
  roleOf(id) {
    return id === this.me.id ? this.room?.about?.role : this.members?.members.find((member) => member.id === id)?.role;
  }

  /** @param {Person} person @param {boolean} isHere */
  entry(person, isHere) {
    const { room, me } = this;
    const isMe = person.id === me.id;
    const role = this.roleOf(person.id);
    const muted = this.members?.muted?.find(({ user_id }) => user_id === person.id);
    const isBanned = this.members?.banned?.includes(person.id) ?? false;
    const marks = [isMe && "you", role && ROLES[role], muted && mutedFor(muted), isBanned && "banned"].filter(Boolean).join(", ");
    const inside = [
      make("span", { class: isHere ? "presence here" : "presence" }, face(person, "small"), make("span", { class: "out" }, isHere ? "here: " : "away: ")),
      make("span", { class: "name" }, person.name),
      marks !== "" && make("span", { class: "mark" }, marks),
    ];
    const doing = { room: /** @type {Room} */ (room), person, isMe, isBanned, isMuted: Boolean(muted), role, mine: room?.about?.role, canModerate: moderates(room), write: this.write };
    const items = choices(doing);
    if (items.length === 0) return make("li", {}, make("div", { class: isHere ? "entry still" : "entry still away" }, ...inside));
    return make("li", {}, make("button", {
      type: "button", class: isHere ? "entry" : "entry away", "data-person": person.id, "aria-haspopup": "menu",
      onclick: (/** @type {Event} */ event) => menu(/** @type {HTMLElement} */ (event.currentTarget), items),
    }, ...inside));
  }
}

/** A member as the room tells it is a person with a role. @param {Member} member */
const named = ({ user_id, name, role }) => ({ id: user_id, name: name || user_id, role });

/** @param {{until?: string}} muted */
function mutedFor({ until }) {
  const left = until ? new Date(until).getTime() - Date.now() : 0;
  return left > 0 ? `muted ${duration(left)}` : "muted";
}
