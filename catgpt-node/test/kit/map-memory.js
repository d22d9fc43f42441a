/** A memory in a Map: the worked example of a store that is written in JavaScript. */
import { BusyError, ConflictError, InvalidInputError, NotFoundError, UnsupportedError } from "catgpt-node";

/** What each operation is called in the journal. A store says so when it is asked for what it lacks. */
const KIND = { create: "created", set_title: "renamed", set_pin: "updated", set_head: "updated", delete: "deleted" };

export class MapMemory {
  durable = true;
  pollMs = 20;
  #sessions = new Map();
  #turns = new Map();
  #ops = new Map();
  #journals = new Map();

  beginTurn(begin) {
    const known = this.#known(begin);
    if (known) return known;
    const created = !this.#sessions.has(id(begin.owner, begin.session));
    const session = created ? blank(begin) : this.#session(begin.owner, begin.session);
    if (begin.if_version !== null && begin.if_version !== session.version) throw new ConflictError("the session has changed");
    const { running } = session;
    if (running && running.until <= Date.now()) return { stale: { turn: running.turn } };
    if (running) return { busy: { turn: running.turn, lease_left_ms: running.until - Date.now() } };
    let parent = above(session, begin);
    const { reserve, max_running, ttl_ms } = begin;
    if (reserve.length > 0 || max_running !== null || ttl_ms !== null) throw new UnsupportedError("this store has no limits and forgets nothing");
    if (created) this.#sessions.set(id(begin.owner, begin.session), session), this.#note(begin, "created");
    if (session.tree.length === 0) session.title ??= begin.title;
    const row = { turn: begin.turn, body: "", model: null, usage: null, created_ms: Date.now() };
    const user = begin.message === null ? null : push(session, { ...row, parent, role: "user", status: "complete", body: begin.message });
    const reply = push(session, { ...row, parent: user ?? parent, role: "assistant", status: "running", model: begin.model });
    if (session.pin === null || begin.pin.replace) session.pin = begin.pin.body;
    session.running = { turn: begin.turn, user, reply, created, until: Date.now() + begin.lease_ms, cancel: false, chunks: [] };
    if (begin.key) session.keys.set(begin.key.key, { hash: begin.key.hash, turn: begin.turn });
    this.#turns.set(begin.turn, { owner: begin.owner, session: begin.session, reply });
    this.#note(begin, "turn_begun", changed(session));
    return opened(session, begin.window);
  }

  #known({ owner, session: name, turn, key, lease_ms, window }) {
    if (this.#turns.has(turn)) {
      const place = this.#place(owner, turn);
      if (place.session !== name) throw new ConflictError("this turn is in another session");
      const session = this.#session(owner, name);
      if (session.running?.turn !== turn) return { replay: { turn } };
      session.running.until = Date.now() + lease_ms;
      return opened(session, window);
    }
    const known = key && this.#sessions.get(id(owner, name))?.keys.get(key.key);
    if (known && known.hash !== key.hash) throw new ConflictError("this key was used for something else", { turn: known.turn });
    return known && { replay: { turn: known.turn } };
  }

  checkpoint({ owner, turn, from, to, body, lease_ms }) {
    const place = this.#turns.get(turn);
    const running = place?.owner === owner && this.#sessions.get(id(owner, place.session))?.running;
    if (!running || running.turn !== turn) return "refused";
    const end = running.chunks.at(-1)?.to ?? 0;
    if (body && to > end && from !== end) throw new ConflictError("this piece does not begin where the last one ended");
    if (body && to > end) running.chunks.push({ from, to, body });
    running.until = Date.now() + lease_ms;
    return { renewed: { cancel: running.cancel } };
  }

  finishTurn({ owner, turn, status, body, usage, if_expired }) {
    const place = this.#place(owner, turn);
    const session = this.#session(owner, place.session);
    const row = session.tree[place.reply - 1];
    if (session.running?.turn !== turn) return { before: row };
    const left = session.running.until - Date.now();
    if (if_expired && left > 0) return { alive: { lease_left_ms: left } };
    Object.assign(row, { status, body, usage });
    session.running = null;
    this.#note({ owner, session: place.session, turn }, "turn_ended", changed(session));
    return "now";
  }

  apply({ owner, op_id, ops }) {
    const before = structuredClone([this.#sessions, this.#turns]);
    try {
      if (!this.#ops.has(op_id)) this.#ops.set(op_id, ops.map((op) => this.#op(owner, ...Object.entries(op)[0])));
      return this.#ops.get(op_id);
    } catch (error) {
      [this.#sessions, this.#turns] = before;
      throw error;
    }
  }

  #op(owner, kind, { session: name, turn, title, over, pin, meta, ttl_ms, head, if_version, after, rows }) {
    if (kind === "cancel") return this.#cancel(owner, turn);
    if (kind === "import") return this.#import(owner, name, after, rows);
    if (!(kind in KIND) || meta || ttl_ms) throw new UnsupportedError("this store cannot do that");
    if (kind === "create" && this.#sessions.has(id(owner, name))) return "nothing";
    if (kind === "create") this.#sessions.set(id(owner, name), { ...blank({ session: name, title }), pin });
    const session = this.#session(owner, name);
    const given = over !== undefined && over !== null;
    if (given && session.title !== over) return "nothing";
    if (kind === "set_title") session.title = title;
    if (kind === "set_pin") session.pin = pin;
    if (kind === "set_head") {
      if (session.running) throw new BusyError("a turn runs in this session", { turn: session.running.turn });
      if (if_version !== null && if_version !== session.version) throw new ConflictError("the session has changed");
      session.head = find(session, head).seq;
    }
    if (kind === "delete") this.#sessions.delete(id(owner, name));
    this.#note({ owner, session: name }, given ? "titled" : KIND[kind]);
    return kind === "delete" ? "nothing" : { version: changed(session) };
  }

  #import(owner, { id: name, title, pin, head, created_ms, updated_ms }, after, rows) {
    const here = this.#sessions.get(id(owner, name));
    if ((here === undefined) !== (after === 0) || (here && here.tree.length !== after)) throw new ConflictError("the session has other messages");
    if (here?.running) throw new BusyError("a turn runs in this session", { turn: here.running.turn });
    const session = here ?? blank({ session: name });
    session.tree.push(...rows.map((row) => ({ ...row, turn: null })));
    this.#sessions.set(id(owner, name), session);
    this.#note({ owner, session: name }, here ? "updated" : "created");
    const version = changed(session);
    Object.assign(session, { title, pin, head, created_ms, updated_ms });
    return { version };
  }

  #cancel(owner, turn) {
    const session = this.#session(owner, this.#place(owner, turn).session);
    if (session.running?.turn !== turn) return "nothing";
    session.running.cancel = true;
    return { version: session.version };
  }

  read({ owner, read: { branch, tree, tail } }) {
    if (tail) {
      const place = this.#place(owner, tail.turn);
      const session = this.#session(owner, place.session);
      return view(session, { rows: [session.tree[place.reply - 1]], more: false }, tail.from);
    }
    const session = this.#session(owner, (branch ?? tree).session);
    if (branch) return view(session, branchOf(session, branch.head ?? session.head, branch.limit));
    const rows = session.tree.slice(tree.after);
    if (tree.bodies) return view(session, take(rows, tree.limit));
    return { ...view(session, take(rows.map((row) => ({ ...row, body: "" })), tree.limit)), chunks: [] };
  }

  query({ owner, query }) {
    const mine = [...this.#sessions].filter(([key]) => key.startsWith(id(owner, ""))).map(([, session]) => session);
    if (query === "turns") return { turns: mine.filter((s) => s.running && !expired(s)).map((s) => [s.id, s.running.turn]).sort() };
    if (query.session) return { sessions: { rows: [rowOf(this.#session(owner, query.session.session))], more: false } };
    if (query.changes) {
      const { after, limit } = query.changes;
      return { changes: (this.#journals.get(owner) ?? []).slice(after, after + limit) };
    }
    if (query === "journal_end") return { journal_end: (this.#journals.get(owner) ?? []).length };
    if (query.journals) {
      const { after, limit } = query.journals;
      const news = after.map(([whose, n]) => [whose, (this.#journals.get(whose) ?? []).slice(n, n + limit)]);
      return { journals: news.filter(([, changes]) => changes.length > 0) };
    }
    if (!query.sessions) throw new UnsupportedError("this store cannot be asked that");
    const { after, limit, archived } = query.sessions;
    if (archived) return { sessions: { rows: [], more: false } }; // nothing can be put away here
    const newer = (a, b) => b.updated_ms - a.updated_ms || (a.id < b.id ? 1 : -1);
    const rows = mine.filter((s) => !after || newer({ ...after, id: after.session }, s) < 0).sort(newer);
    return { sessions: { rows: rows.slice(0, limit).map(rowOf), more: rows.length > limit } };
  }

  sweep({ limit }) {
    const dead = [...this.#turns].filter(([turn, { owner, session }]) => {
      const running = this.#sessions.get(id(owner, session))?.running;
      return running?.turn === turn && running.until <= Date.now();
    });
    const expired = dead.slice(0, limit).map(([turn, { owner }]) => [owner, turn]);
    return { expired, deleted: 0, more: dead.length > limit };
  }

  #session(owner, name) {
    const session = this.#sessions.get(id(owner, name));
    if (!session) throw new NotFoundError("no such session");
    return session;
  }

  #place(owner, turn) {
    const place = this.#turns.get(turn);
    if (place?.owner !== owner || !this.#sessions.has(id(owner, place.session))) throw new NotFoundError("no such turn", { turn });
    return place;
  }

  #note({ owner, session, turn }, kind) {
    const journal = this.#journals.get(owner) ?? [];
    this.#journals.set(owner, [...journal, { n: journal.length + 1, session, turn, kind, at_ms: Date.now() }]);
  }
}

const id = (owner, session) => `${owner}\0${session}`;

function blank({ session, title }) {
  const now = Date.now();
  const empty = { head: null, version: 0, running: null, tree: [], keys: new Map() };
  return { id: session, title, pin: null, ...empty, created_ms: now, updated_ms: now };
}

function changed(session) {
  session.updated_ms = Date.now();
  return ++session.version;
}

function push(session, row) {
  session.head = session.tree.push({ seq: session.tree.length + 1, ...row });
  return session.head;
}

function find(session, seq) {
  const row = session.tree[seq - 1];
  if (!row) throw new NotFoundError("no such message");
  return row;
}

function above(session, { parent, message }) {
  const seq = parent === "head" ? session.head : (parent.under ?? find(session, parent.beside ?? session.head).parent);
  const row = seq === null ? null : find(session, seq);
  const roles = parent.beside === undefined ? ["user", "assistant"] : ["user"];
  if (message === null && !roles.includes(row?.role)) throw new InvalidInputError("only a user's message can be answered, and only a reply gone on from");
  return seq;
}

function take(rows, limit) {
  let bytes = 0;
  const fits = (row, at) => ((bytes += row.body.length), at === 0 || (at < limit.messages && bytes <= limit.bytes));
  const end = rows.findIndex((row, at) => !fits(row, at));
  return end < 0 ? { rows, more: false } : { rows: rows.slice(0, end), more: true };
}

function branchOf(session, head, limit) {
  const up = [];
  for (let seq = head; seq !== null; seq = up.at(-1).parent) up.push(find(session, seq));
  const { rows, more } = take(up, limit);
  return { rows: rows.reverse(), more };
}

const expired = ({ running }) => running !== null && running.until <= Date.now();

function rowOf({ tree, keys, ...session }) {
  return { ...session, messages: tree.length, running: session.running?.turn ?? null, expired: expired(session) };
}

function view(session, { rows, more }, from = 0) {
  const { running } = session;
  const shown = running && rows.some((row) => row.seq === running.reply);
  const chunks = shown ? running.chunks.filter((chunk) => chunk.to > from) : [];
  return { session: rowOf(session), rows, chunks, more };
}

function opened(session, window) {
  const { created, user: user_seq, reply: reply_seq } = session.running;
  const { rows } = branchOf(session, find(session, reply_seq).parent, window);
  return { started: { session: rowOf(session), created, user_seq, reply_seq, window: rows } };
}
