// The words of a chat room, as methods. Each resolves when the server has done it, and rejects with its refusal.

import { LiveRoom } from "./room.js";

/** @import { About, Answer, Members, Role } from "./types.js" */

/** @typedef {Promise<Answer>} Done */

export class Room extends LiveRoom {
  /**
   * A text keeps what else was said with the message; an object replaces all of it.
   *
   * @param {string} messageId
   * @param {string | object} content
   * @returns {Done}
   */
  edit(messageId, content) {
    const { changes: _, ...before } = this.message(messageId)?.payload ?? { content: "" };
    const payload = typeof content === "string" ? { ...before, content } : content;
    return this.act("edit_message", { ...payload, message_id: messageId });
  }

  /** @param {string} messageId @returns {Done} */
  remove(messageId) {
    return this.act("delete_message", { message_id: messageId });
  }

  /** @param {string} messageId @param {string} reaction 1 to 32 bytes, such as one emoji @returns {Done} */
  react(messageId, reaction) {
    return this.act("add_reaction", { message_id: messageId, reaction });
  }

  /** @param {string} messageId @param {string} reaction @returns {Done} */
  unreact(messageId, reaction) {
    return this.act("remove_reaction", { message_id: messageId, reaction });
  }

  /**
   * The caller becomes its owner. EXISTS: somebody was first.
   *
   * @param {{title?: string, topic?: string, access?: "open" | "private", members?: (string | {id: string, name?: string})[]}} [about]
   * @returns {Done}
   */
  create(about = {}) {
    return this.act("create_room", about);
  }

  /** @param {{title?: string, topic?: string, access?: "open" | "private", slow_mode_seconds?: number}} about @returns {Done} */
  change(about) {
    return this.act("change_room", about);
  }

  /** For everybody. @returns {Done} */
  destroy() {
    return this.act("delete_room");
  }

  /** @returns {Promise<About>} */
  async getAbout() {
    return (await this.ask("get_room")).payload;
  }

  /** @returns {Promise<Members>} */
  async getMembers() {
    return (await this.ask("get_members")).payload;
  }

  /** @param {string} userId @param {{name?: string, role?: Role}} [as] @returns {Done} */
  addMember(userId, as = {}) {
    return this.act("add_member", { user_id: userId, ...as });
  }

  /** @param {string} userId @returns {Done} */
  removeMember(userId) {
    return this.act("remove_member", { user_id: userId });
  }

  /** @param {string} userId @param {Role} role @returns {Done} */
  setRole(userId, role) {
    return this.act("set_role", { user_id: userId, role });
  }

  /** Without `seconds`: until unmuted. @param {string} userId @param {{seconds?: number, reason?: string}} [how] @returns {Done} */
  mute(userId, how = {}) {
    return this.act("mute_member", { user_id: userId, ...how });
  }

  /** @param {string} userId @returns {Done} */
  unmute(userId) {
    return this.act("unmute_member", { user_id: userId });
  }

  /** @param {string} userId @param {string} [reason] @returns {Done} */
  kick(userId, reason) {
    return this.act("kick_member", { user_id: userId, reason });
  }

  /** @param {string} userId @param {string} [reason] @returns {Done} */
  ban(userId, reason) {
    return this.act("ban_member", { user_id: userId, reason });
  }

  /** @param {string} userId @returns {Done} */
  unban(userId) {
    return this.act("unban_member", { user_id: userId });
  }

  /** All of a user's messages up to now show as erased. @param {string} userId @returns {Done} */
  eraseUser(userId) {
    return this.act("erase_user", { user_id: userId });
  }
}
