// What records say: the one that an acknowledgement stands for, and what those that are no messages mean for a room.

/** @import { About, Answer, Frame } from "./types.js" */

/** What an author's acknowledgement stands for: the record that everybody else gets. */
export const RECORD_OF = /** @type {Record<string, string>} */ ({
  send_message: "new_message",
  add_note: "note_added",
  edit_message: "message_edited",
  delete_message: "message_deleted",
  add_reaction: "reaction_added",
  remove_reaction: "reaction_removed",
  erase_user: "user_erased",
  create_room: "room_changed",
  change_room: "room_changed",
  delete_room: "room_deleted",
  add_member: "member_added",
  remove_member: "member_removed",
  set_role: "role_changed",
  mute_member: "member_muted",
  unmute_member: "member_unmuted",
  kick_member: "member_kicked",
  ban_member: "member_banned",
  unban_member: "member_unbanned",
  mark_read: "read_marked",
});

/**
 * What the room says of itself and of us after a record. Null: the same as before.
 *
 * @param {About} about
 * @param {Frame} frame
 * @param {string | undefined} me
 * @returns {About | null}
 */
export function aboutAfter(about, { type, payload = {} }, me) {
  const { user_id, members: _, ...said } = payload;
  if (type === "room_changed") return { ...about, ...said, created: true };
  if (user_id === undefined || user_id !== me) return null;
  if (type === "member_added" || type === "role_changed") return { ...about, role: said.role ?? "member" };
  if (type === "member_removed") return { ...about, role: "guest" };
  if (type === "member_muted") return { ...about, muted_until: said.until ?? "forever" };
  if (type !== "member_unmuted") return null;
  const { muted_until: __, ...free } = about;
  return free;
}

/** @param {Frame} frame @returns {Answer} */
export function answerOf({ id = "", position, timestamp, payload }) {
  return { id, position, timestamp, payload };
}
