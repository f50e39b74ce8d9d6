// What one may do about a person in a room, by one's role; and the settings of the room itself. The server decides all of it
// again.

import { $, tell } from "../elements.js";
import { ask, open, toast } from "../overlays.js";
import { isAlone } from "./names.js";
import { ofRefusal } from "./words.js";

/** @typedef {import("../client/index.js").Room} Room */
/** @typedef {import("../../clients/js/src/types.d.ts").Role} Role */

const MUTE_SECONDS = 300;
const RANK = /** @type {Record<string, number>} */ ({ guest: 0, member: 0, moderator: 1, owner: 2, warden: 3 });

/** Does it; what went wrong is told. @param {Promise<unknown>} work @param {string} done */
async function doing(work, done) {
  try {
    await work;
    toast(done);
  } catch (error) {
    toast(ofRefusal(/** @type {any} */ (error)));
  }
}

/**
 * @typedef {object} About one person, as seen by another
 * @property {Room} room
 * @property {{id: string, name: string}} person
 * @property {boolean} isMe
 * @property {boolean} isBanned
 * @property {boolean} isMuted
 * @property {Role | undefined} role the person's
 * @property {Role | undefined} mine
 * @property {boolean} canModerate
 * @property {(userId: string) => void} write
 */

/** @param {About} about @returns {import("../overlays.js").Item[]} */
export function choices({ room, person, isMe, isBanned, isMuted, role, mine, canModerate, write }) {
  const { id, name } = person;
  const items = /** @type {import("../overlays.js").Item[]} */ ([]);
  const item = (/** @type {string} */ words, /** @type {() => void} */ does, grave = false) => items.push({ words, does, grave });
  const alone = isAlone(room);
  if (isMe) {
    if (alone || !room.about?.created) return items;
    if (mine === "guest" && room.about.access === "open") item("Become a member", () => void doing(room.addMember(id, { name }), "You are a member now. The room stays on your list."));
    else if (mine !== "guest" && mine !== "warden") item("Stop being a member", () => void leave(room, id), true);
    return items;
  }
  if (!alone) item("Write to them alone", () => write(id));
  if (alone || !canModerate) return items;
  if (isBanned) {
    item("Let them in again", () => void doing(room.unban(id), `${name} may come in again.`));
    return items;
  }
  if ((RANK[role ?? "guest"] ?? 0) < (RANK[mine ?? "guest"] ?? 0)) {
    if (isMuted) item("Let them speak again", () => void doing(room.unmute(id), `${name} may speak again.`));
    else {
      item("Mute for 5 minutes", () => void doing(room.mute(id, { seconds: MUTE_SECONDS }), `${name} is muted for 5 minutes.`));
      item("Mute until unmuted", () => void doing(room.mute(id), `${name} is muted.`));
    }
    item("Put out for a minute…", () => void putOut(room, person), true);
    item("Ban…", () => void ban(room, person), true);
  }
  if (mine === "owner" || mine === "warden") {
    if (role === undefined || role === "guest") item("Add as a member", () => void doing(room.addMember(id, { name }), `${name} is a member now.`));
    else {
      if (role !== "moderator") item("Make a moderator", () => void doing(room.setRole(id, "moderator"), `${name} is a moderator now.`));
      if (role !== "owner") item("Make an owner", () => void doing(room.setRole(id, "owner"), `${name} is an owner now.`));
      if (role !== "member") item("Make a plain member", () => void doing(room.setRole(id, "member"), `${name} is a plain member now.`));
      item("Take off the members", () => void doing(room.removeMember(id), `${name} is no member any more.`), true);
    }
  }
  if (mine === "warden") item("Erase all they said…", () => void erase(room, person), true);
  return items;
}

/** @param {Room} room @param {string} id */
async function leave(room, id) {
  const sure = await ask({ title: "Stop being a member?", words: "The room leaves your list. If it is private, somebody has to add you before you can come back.", does: "Stop being a member" });
  if (sure !== null) await doing(room.removeMember(id), "You are no member any more.");
}

/** @param {Room} room @param {{id: string, name: string}} person */
async function putOut(room, { id, name }) {
  const why = await ask({ title: `Put ${name} out?`, words: "They leave the room at once, in all their windows, and may come back after a minute.", does: "Put out", field: "Why (may stay empty)" });
  if (why !== null) await doing(room.kick(id, why || undefined), `${name} was put out.`);
}

/** @param {Room} room @param {{id: string, name: string}} person */
async function ban(room, { id, name }) {
  const why = await ask({ title: `Ban ${name}?`, words: "They leave the room at once and cannot come back until somebody lets them in again.", does: "Ban", field: "Why (may stay empty)" });
  if (why !== null) await doing(room.ban(id, why || undefined), `${name} is banned.`);
}

/** @param {Room} room @param {{id: string, name: string}} person */
async function erase(room, { id, name }) {
  const sure = await ask({ title: `Erase all that ${name} said here?`, words: "Every message of theirs up to now becomes a mark without words. This cannot be taken back.", does: "Erase" });
  if (sure !== null) await doing(room.eraseUser(id), `What ${name} said here is erased.`);
}

/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ ($(id));

/** The room's settings in their dialog. @param {Room} room @param {string} shown its name as it is shown */
export function settings(room, shown) {
  const about = room.about ?? {};
  tell("settings-dialog-title", `Settings of #${shown}`);
  tell("settings-trouble", "");
  field("set-title").value = about.title ?? "";
  field("set-topic").value = about.topic ?? "";
  field("set-access").value = about.access === "private" ? "private" : "open";
  field("set-slow").value = String(about.slow_mode_seconds ?? 0);
  $("delete-room").hidden = about.role !== "owner" && about.role !== "warden";
  const dialog = open("settings-dialog");
  field("set-title").focus();
  $("delete-room").onclick = async () => {
    dialog.close();
    const sure = await ask({ title: `Delete #${shown}?`, words: "The room and all that was said in it are gone for everybody. This cannot be taken back.", does: "Delete the room" });
    if (sure !== null) await doing(room.destroy(), `#${shown} was deleted.`);
  };
  $("settings-form").onsubmit = async (event) => {
    event.preventDefault();
    const access = field("set-access").value === "private" ? "private" : "open";
    try {
      await room.change({ title: field("set-title").value.trim(), topic: field("set-topic").value.trim(), access, slow_mode_seconds: Number(field("set-slow").value) || 0 });
      dialog.close();
      toast("The settings are stored.");
    } catch (error) {
      tell("settings-trouble", ofRefusal(/** @type {any} */ (error)));
    }
  };
}

/** Asks for a room, and creates it if that is wanted. @param {(name: string) => Room} enter */
export function newRoom(enter) {
  const form = /** @type {HTMLFormElement} */ ($("room-form"));
  form.reset();
  tell("room-trouble", "");
  const creates = field("room-create");
  const follow = () => {
    $("room-more").hidden = !creates.checked;
    $("room-do").textContent = creates.checked ? "Create" : "Open";
  };
  creates.onchange = follow;
  follow();
  const dialog = open("room-dialog");
  field("room-field").focus();
  form.onsubmit = async (event) => {
    event.preventDefault();
    const name = field("room-field").value.trim();
    const room = enter(name);
    if (!creates.checked) return dialog.close();
    try {
      await room.create({
        title: field("room-new-title").value.trim() || undefined,
        topic: field("room-new-topic").value.trim() || undefined,
        access: field("room-private").checked ? "private" : "open",
      });
      dialog.close();
      toast(`#${name} is yours now.`);
    } catch (error) {
      tell("room-trouble", ofRefusal(/** @type {any} */ (error)));
    }
  };
}
