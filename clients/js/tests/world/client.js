// A client in a world of the test's own, and the frames that a server would say to it.

import { Kulkul } from "../../src/index.js";
import { TestClock, settled } from "./clock.js";
import { network } from "./socket.js";

export const EPOCH = "e1";
const AT = "2026-01-01T10:00:00.000Z";

/** An unsigned token: the client reads it for display, the test's server takes any. */
export function token(user = "7", name = "Ana", more = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part({ sub: user, name, ...more })}.c2ln`;
}

export function at(offset, epoch = EPOCH) {
  return { epoch, offset };
}

/** @param {object} [options] of the client */
export function world(options = {}, random = () => 0.5) {
  const clock = new TestClock(random);
  const net = network();
  const client = new Kulkul("wss://example.org/ws", { token: token(), WebSocket: net.WebSocket, clock, ...options });
  const states = [];
  const errors = [];
  client.on("state", ({ state }) => states[states.length - 1] !== state && states.push(state));
  client.on("error", (error) => errors.push(error));
  return {
    clock,
    net,
    client,
    states,
    errors,
    /** Connected, without a room. */
    async open() {
      client.connect();
      await settled();
      net.last.accept();
      await settled();
      return net.last;
    },
    /** The next connection, after the delay of the client's own choice. */
    async reopen() {
      await clock.pass(40_000);
      net.last.accept();
      await settled();
      return net.last;
    },
    /** Joined at an offset. */
    async join(name = "general", offset = 0, about = undefined) {
      const room = client.join(name);
      net.last.deliver(info(net.last.of("join_room").at(-1).id, name, at(offset), about));
      await settled();
      return room;
    },
  };
}

export function info(id, room, position, about, users = [{ id: "7", name: "Ana" }]) {
  const payload = { room_id: room, users, count: users.length, ...(about && { about }) };
  return { type: "room_info", id, room, payload, timestamp: AT, ...(position && { position }) };
}

export function said(offset, content, { room = "general", sender = { id: "8", name: "Bo" }, epoch = EPOCH, ...more } = {}) {
  const position = at(offset, epoch);
  return { type: "new_message", room, payload: { content, ...more }, sender, timestamp: AT, id: `${epoch}-${offset}`, position };
}

export function ack(id, offset, room = "general") {
  const stored = { position: at(offset), payload: { message_id: `${EPOCH}-${offset}` } };
  return { type: "ack", id, room, timestamp: AT, ...(offset === undefined ? {} : stored) };
}

export function refused(code, { id, room = "general", retry_after_ms, message = code } = {}) {
  return { type: "error", id, room, payload: { code, message, retry_after_ms }, timestamp: AT };
}

export function happened(type, offset, payload, { sender = { id: "8", name: "Bo" }, room = "general" } = {}) {
  return { type, room, payload, sender, timestamp: AT, id: `${EPOCH}-${offset}`, position: at(offset) };
}

export function contents(room) {
  return room.messages.map(({ payload }) => payload.content);
}
