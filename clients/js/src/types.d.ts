// The words that the client and its callers share. docs/protocol.md says what they mean on the wire; this file holds types
// and no code.

/** A place in a room's log. Compare `epoch` for equality only; `offset` counts from 1. */
export interface Position { epoch: string; offset: number }

export interface Person { id: string; name: string }

/** What stands on the wire, in both directions. */
export interface Frame {
  type: string;
  room?: string;
  id?: string;
  payload?: any;
  sender?: Person;
  timestamp?: string;
  position?: Position;
}

export interface Reaction { reaction: string; users: string[] }

/** What the server says happened to a message after it was sent. */
export interface Changes { edited_at?: string; reactions?: Reaction[]; deleted?: true; erased?: true }

/** The payload of a chat message: as sent or last edited, and what happened to it since. Of support, `message` or `note` is the text. */
export interface MessagePayload { content: string; reply_to?: string; changes?: Changes; [field: string]: unknown }

/** A stored message as it is now. A changed message is a new object, so two can be told apart by `===`. */
export interface Message {
  id: string;
  payload: MessagePayload;
  /** Absent: the room itself or a back end wrote it. */
  sender?: Person;
  timestamp: string;
  position: Position;
  /** The id under which this client sent it, to find the pending one it came from. */
  clientId?: string;
}

/** A message of this client that is not stored yet, or was refused. */
export interface Pending {
  /** The client's own id of it; the message's id comes with its storing. */
  id: string;
  payload: MessagePayload;
  /** waiting: for a connection or its turn. sending: on its way. failed: refused, `error` says why; `retry` or `discard`. */
  state: "waiting" | "sending" | "failed";
  error?: import("./refusal.js").Refusal;
  timestamp: string;
}

/** The answer to something that was stored or done. */
export interface Answer {
  id: string;
  /** Absent: done, and nothing was stored. */
  position?: Position;
  timestamp?: string;
  payload?: any;
}

/** A stored message's. */
export interface Sent extends Answer { message_id: string }

/**
 * A page of the past, oldest first. `more`: there is more in the direction that was asked for, also where no messages came;
 * `next` is the `before` or `after` to go on with. An older server names none: then it is the outermost message's position.
 */
export interface Page { messages: Message[]; more: boolean; upto: Position; next?: Position }

export type Role = "owner" | "moderator" | "member" | "guest" | "warden";
export type Access = "open" | "private" | "direct";

/** What a chat room says of itself to the one who joined. An older server says nothing: then `room.about` is null. */
export interface About {
  title?: string;
  topic?: string;
  access?: Access;
  slow_mode_seconds?: number;
  role?: Role;
  muted_until?: string;
  created?: boolean;
  messages?: number;
  unread?: number;
  [field: string]: unknown;
}

export interface Member { user_id: string; name: string; role: Role }
export interface Members {
  members: Member[];
  count: number;
  muted?: { user_id: string; until?: string }[];
  banned?: string[];
}

export interface Channel { room_id: string; title?: string; role?: Role; access?: Access; read_upto?: Position }
export interface Mark { room_id: string; upto: Position }
export interface Notification { id: string; payload: any; timestamp: string; position: Position; sender?: Person }

/**
 * connecting: a socket is being opened. catching-up: it is open, and rooms still get what was missed. open: all is current.
 * offline: no connection; `retryInMs` says when the next try is, null: none is planned. refused: do not come back by itself;
 * `code` and `words` say why, `connect()` tries again.
 */
export type State = "connecting" | "open" | "catching-up" | "offline" | "refused";
export interface Status {
  state: State;
  /** How many tries since the last good connection. */
  attempt: number;
  retryInMs: number | null;
  /** Of the last close, 1006 if the socket just ended; 0: none yet. */
  code: number;
  words: string;
}

/**
 * away: not joined. joining: asked for, or waiting for a connection. catching-up: joined, what was missed is coming. open:
 * joined and current. refused: the server said no or put us out; `room.error` says why.
 */
export type RoomState = "away" | "joining" | "catching-up" | "open" | "refused";

export type TokenSource = string | (() => string | Promise<string>);

export interface Options {
  /** A JWT, or what gives one: asked again when the token ended or the server wants another. */
  token: TokenSource;
  /** Who the token names. Default: read from the token's claims. */
  user?: Person;
  /** An implementation of the WebSocket interface, such as that of `ws`, where there is no global one. */
  WebSocket?: SocketClass;
  /** Of the mount: a room name without a colon belongs to it. Default `chat`. */
  app?: string;
  /** Tries in a row without a good connection before `refused`. Default: no maximum. */
  maxReconnectAttempts?: number;
  /** Messages and other requests that may wait for their answer. Default 500; one more is refused with QUEUE_FULL. */
  queueMax?: number;
  /** Stored messages that a room keeps. Default 500; the oldest go first. */
  messagesMax?: number;
  /** How fast to send, below what the server allows (20 a second, bursts of 40). */
  pace?: { perSecond: number; burst: number };
  /** Time and chance, for tests. */
  clock?: Clock;
}

export interface Clock {
  now(): number;
  later(work: () => void, ms: number): any;
  cancel(timer: any): void;
  /** 0 up to 1. */
  random(): number;
}

/** What is used of the WebSocket interface. */
export interface Socket {
  readyState: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number, words?: string): void;
}
export type SocketClass = new (url: string, protocols: string[]) => Socket;

/** What `room.on("messages")` says has happened to `room.messages`. */
export interface MessagesChange {
  /** added: one more at the end. changed: edited, reacted to, deleted. older: a page in front. replaced: gap, reset, erased. */
  kind: "added" | "changed" | "older" | "replaced";
  /** Of `added` and `changed`. */
  message?: Message;
  /** Of `replaced`. */
  why?: "gap" | "reset" | "erased";
}

export interface ClientEvents {
  state: Status;
  /** Every frame that was applied, duplicates left out. */
  frame: Frame;
  /** For everybody who is connected. */
  announcement: Frame;
  /** What went wrong and answers no call: a refusal without an id, a token source that failed, its newer token refused. */
  error: Error;
}

export interface RoomEvents {
  state: RoomState;
  messages: MessagesChange;
  /** A message that was not here before, live or missed; your own too. */
  message: Message;
  pending: Pending[];
  people: Person[];
  typing: Person[];
  unread: number;
  about: About | null;
  /** Every other record of the room: member_added, member_muted, room_deleted, … */
  event: Frame;
}

export interface InboxEvents {
  notification: Notification;
  marks: Mark[];
  channels: Channel[];
}

/** What a room needs of its client. */
export interface Link {
  clock: Clock;
  outgoing: import("./outgoing.js").Outgoing;
  me(): Person | null;
  /** Sends the join, if there is a connection. */
  enter(room: import("./room.js").LiveRoom): void;
  /** Sends what may be lost. */
  say(frame: Frame): boolean;
  /** A room's state is another. */
  told(): void;
  mark(room: import("./room.js").LiveRoom, upto: Position): Promise<unknown>;
  messagesMax: number;
}
