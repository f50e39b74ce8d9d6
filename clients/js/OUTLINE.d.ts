// The classes of the package in outline: `import { Kulkul, Refusal } from "kulkul"`.
import type * as t from "./src/types.d.ts";

/** `on` gives back what takes the listener off again. */
declare class Emitter<E> { on<K extends keyof E>(type: K, listener: (what: E[K]) => void): () => void }

/** Why something was not done: the server's code (BUSY, MUTED, …) or QUEUE_FULL, DISCARDED, DISCONNECTED of our own. */
export class Refusal extends Error { code: string; retryAfterMs?: number; ref?: string; room?: string }

export class Kulkul extends Emitter<t.ClientEvents> {
  constructor(url: string, options: t.Options);
  readonly status: t.Status;
  readonly state: t.State;
  /** Who the token names, once there was one. */
  readonly user: t.Person | null;
  readonly rooms: Iterable<Room>;
  readonly inbox: Inbox;
  connect(): void;               // safe to call again: tries at once when offline or refused
  disconnect(): void;            // by own wish; messages that wait stay, connect() goes on
  cut(): void;                   // drops the socket as a network would; reconnects by itself
  room(name: string): Room;      // the same object for the same room; joins nothing
  join(name: string, options?: { readUpto?: t.Position; payload?: object }): Room;
  direct(userId: string): Room;  // room() of the direct room with that user
  act(room: string, word: string, payload?: object): Promise<t.Answer>;
}

export class Room extends Emitter<t.RoomEvents> {
  readonly name: string;
  readonly state: t.RoomState;
  readonly error: Refusal | null;
  readonly messages: readonly t.Message[];
  readonly pending: readonly t.Pending[];
  readonly more: boolean;        // there may be earlier messages than the first of `messages`
  readonly people: readonly t.Person[];  // the first 200; empty in a very large room
  readonly count: number;
  readonly typing: readonly t.Person[];  // without oneself
  readonly unread: number;
  readonly about: t.About | null;
  readonly position: t.Position | null;
  readonly readUpto: t.Position | null;
  message(id: string): t.Message | undefined;

  join(options?: { readUpto?: t.Position; payload?: object }): Promise<void>; // rejects with a Refusal if it is refused
  leave(): void;
  send(content: string | object, options?: { replyTo?: string }): Promise<t.Sent>;
  retry(pendingId: string): Promise<t.Sent>;   // of a failed one, same id
  discard(pendingId: string): void;
  startTyping(): void;           // call at every key; sent at most every 2.5 s
  stopTyping(): void;
  history(options?: { before?: t.Position; after?: t.Position; limit?: number }): Promise<t.Page>;
  loadOlder(limit?: number): Promise<t.Page>;  // the page before `messages`, put in front of them
  online(): Promise<{ users: t.Person[]; count: number }>;
  markRead(upto?: t.Position): Promise<void>;  // through the inbox; unread becomes 0 at once

  edit(messageId: string, content: string | object): Promise<t.Answer>;
  remove(messageId: string): Promise<t.Answer>;
  react(messageId: string, reaction: string): Promise<t.Answer>;
  unreact(messageId: string, reaction: string): Promise<t.Answer>;

  create(options?: { title?: string; topic?: string; access?: t.Access; members?: (string | t.Person)[] }): Promise<t.Answer>;
  change(options: { title?: string; topic?: string; access?: t.Access; slow_mode_seconds?: number }): Promise<t.Answer>;
  destroy(): Promise<t.Answer>;
  getAbout(): Promise<t.About>;
  getMembers(): Promise<t.Members>;
  addMember(userId: string, options?: { name?: string; role?: t.Role }): Promise<t.Answer>;
  removeMember(userId: string): Promise<t.Answer>;
  setRole(userId: string, role: t.Role): Promise<t.Answer>;
  mute(userId: string, options?: { seconds?: number; reason?: string }): Promise<t.Answer>;
  unmute(userId: string): Promise<t.Answer>;
  kick(userId: string, reason?: string): Promise<t.Answer>;
  ban(userId: string, reason?: string): Promise<t.Answer>;
  unban(userId: string): Promise<t.Answer>;
  eraseUser(userId: string): Promise<t.Answer>;
  act(word: string, payload?: object): Promise<t.Answer>;
}

export class Inbox extends Emitter<t.InboxEvents> {
  open(): Promise<void>;         // joins `user:` and the own id
  readonly marks: readonly t.Mark[];
  readonly channels: readonly t.Channel[];
  readonly notifications: readonly t.Notification[]; // the newest 100
  getChannels(): Promise<t.Channel[]>;
  markRead(room: string, upto: t.Position): Promise<t.Answer>;
}

/** The class of the chat tutorial. */
export class WebSocketClient {
  constructor(url: string, token: string);
  connect(): void;
  on(type: string, handler: (frame: t.Frame) => void): void;
  send(type: string, payload?: any, room?: string): void;
  joinRoom(room: string): void;
  leaveRoom(room: string): void;
  sendMessage(room: string, content: string): void;
  disconnect(): void;
}

/** The direct room's name of two users. */
export function directRoom(a: string, b: string): string;
export const CLOSES: Readonly<Record<number, { words: string; back: "yes" | "no" | "new token" | "delay" }>>;
