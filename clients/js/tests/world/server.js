// A room as a naive server keeps it: one list of records, and for each connection what it has still to be told. Judges
// nothing; the interleavings and the faults are the test's.

const AT = "2026-01-01T10:00:00.000Z";
const TOLD = { send_message: "new_message", edit_message: "message_edited", delete_message: "message_deleted", add_reaction: "reaction_added", remove_reaction: "reaction_removed", erase_user: "user_erased" };

export class ModelRoom {
  epoch = "e1";
  log = [];
  /** The first offset that is kept. */
  from = 1;
  /** Records that one page of history looks through. */
  reads = Infinity;
  /** Messages of an earlier epoch, shown in views alone. */
  carried = [];
  answers = new Map();
  /** @type {Map<object, {user: object, joined: boolean, told: object[]}>} */
  connections = new Map();
  ids = 0;

  constructor(name) {
    this.name = name;
  }

  get head() {
    return { epoch: this.epoch, offset: this.log.length };
  }

  /** Who speaks over a socket, and how each of its frames is refused, if at all. */
  connect(socket, user, fault) {
    const connection = { user, joined: false, told: [] };
    this.connections.set(socket, connection);
    socket.answer = (frame) => this.hear(connection, frame, fault(frame));
  }

  tell(connection, frame) {
    connection.told.push({ timestamp: AT, room: this.name, ...frame });
  }

  hear(connection, { type, id, payload }, fault) {
    const refuse = (code, more) => this.tell(connection, { type: "error", id, payload: { code, message: code, ...more } });
    if (type === "resume" || type === "join_room") {
      if (fault) return refuse("BUSY", { retry_after_ms: 100 });
      return (payload.rooms ?? [payload]).forEach(({ since }) => this.join(connection, id, since));
    }
    if (type === "get_history") return this.history(connection, id, payload);
    if (!(type in TOLD)) return this.tell(connection, { type: "ack", id });
    if (!connection.joined) return refuse("NOT_IN_ROOM");
    if (fault && fault !== "UNCONFIRMED") return refuse(fault, { retry_after_ms: 50 });
    const key = `${connection.user.id} ${id}`;
    const before = this.answers.get(key);
    if (before) return this.tell(connection, { ...before, id });
    const { message_id } = payload;
    const target = message_id === undefined || this.now().find((message) => message.id === message_id);
    if (!target || target.payload?.changes?.deleted) return refuse("NOT_FOUND");
    const record = this.append(TOLD[type], payload, connection.user, fault ? null : connection);
    const answer = { type: "ack", id, payload: { message_id: record.id }, position: record.position };
    this.answers.set(key, answer);
    if (fault) refuse("UNCONFIRMED");
    else this.tell(connection, answer);
  }

  append(type, payload, sender, author = null) {
    const id = `m${++this.ids}`;
    const position = { epoch: this.epoch, offset: this.log.length + 1 };
    const record = { type, room: this.name, id, payload, sender, timestamp: AT, position };
    this.log.push(record);
    for (const connection of this.connections.values()) {
      if (connection.joined && connection !== author) this.tell(connection, this.shown(record));
    }
    return record;
  }

  join(connection, id, since) {
    connection.joined = true;
    const payload = { room_id: this.name, users: [connection.user], count: 1 };
    this.tell(connection, { type: "room_info", id, payload, ...(since ? {} : { position: this.head }) });
    if (!since) return;
    const upto = this.head;
    if (since.epoch !== this.epoch || since.offset > upto.offset) return this.view(connection, "reset");
    if (since.offset + 1 < this.from) return this.view(connection, "gap");
    this.tell(connection, { type: "resumed", payload: { room_id: this.name, upto } });
    this.log.slice(since.offset).forEach((record) => this.tell(connection, this.shown(record)));
  }

  view(connection, type) {
    const messages = this.now().slice(-50);
    this.tell(connection, { type, payload: { room_id: this.name, view: { messages }, upto: this.head } });
  }

  history(connection, id, { before, limit }) {
    const good = !before || before.epoch === this.epoch;
    const end = good ? (before?.offset ?? this.log.length + 1) : 0;
    const from = Math.max(this.from, end - this.reads);
    const read = this.now().filter(({ position }) => position.epoch === this.epoch && position.offset >= from && position.offset < end);
    const messages = read.slice(-limit);
    const reached = read.length > messages.length ? messages[0].position.offset : from;
    const more = good && reached > this.from && reached < end;
    const next = more ? { epoch: this.epoch, offset: reached } : undefined;
    this.tell(connection, { type: "history", id, payload: { room_id: this.name, messages, upto: this.head, more, next } });
  }

  /** The log lost its end: what is left begins a new epoch, numbered anew or as a memory of the one before. */
  lose(count, carry) {
    const left = this.now().slice(0, -count || undefined);
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
    this.from = 1;
    this.answers.clear();
    this.carried = carry ? left : [];
    const renumbered = (message, i) => ({ ...message, position: { epoch: this.epoch, offset: i + 1 } });
    this.log = carry ? [] : left.map(renumbered);
    for (const connection of this.connections.values()) if (connection.joined) this.view(connection, "reset");
  }

  /** A message is shown as it is now, also where its old place in the log comes up. */
  shown(record) {
    return record.type === "new_message" ? this.now().find(({ id }) => id === record.id) : record;
  }

  /** All messages as they are now: the plainest fold there is. */
  now() {
    const messages = new Map(this.carried.map((message) => [message.id, structuredClone(message)]));
    for (const { type, payload, sender, ...record } of structuredClone(this.log)) {
      const message = messages.get(payload.message_id);
      if (type === "new_message") messages.set(record.id, { type, payload, sender, ...record });
      else if (type === "user_erased") {
        for (const one of messages.values()) if (one.sender.id === payload.user_id) one.payload = { content: "", changes: { erased: true } };
      } else if (message && !message.payload.changes?.deleted && !message.payload.changes?.erased) {
        message.payload = after(message.payload, type, payload, sender, record.timestamp);
      }
    }
    return [...messages.values()];
  }
}

function after(payload, type, { message_id, reaction, ...edited }, sender, timestamp) {
  if (type === "message_deleted") return { content: "", changes: { deleted: true } };
  const { edited_at, reactions = [] } = payload.changes ?? {};
  if (type === "message_edited") return { ...edited, changes: { edited_at: timestamp, ...(reactions.length > 0 && { reactions }) } };
  const users = reactions.find((one) => one.reaction === reaction)?.users ?? [];
  const without = users.filter((user) => user !== sender.id);
  const wanted = type === "reaction_removed" ? without : users.includes(sender.id) ? users : [...users, sender.id];
  const next = reactions.some((one) => one.reaction === reaction) ? reactions : [...reactions, { reaction, users }];
  const kept = next.map((one) => (one.reaction === reaction ? { reaction, users: wanted } : one)).filter((one) => one.users.length > 0);
  const changes = { ...(edited_at && { edited_at }), ...(kept.length > 0 && { reactions: kept }) };
  const { changes: _, ...plain } = payload;
  return Object.keys(changes).length > 0 ? { ...plain, changes } : plain;
}
