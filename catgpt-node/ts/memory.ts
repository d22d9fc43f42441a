/** The contract for stores that are written in JavaScript: seven methods, each of which may be repeated. */
import type { Change, Cursor, Role, Status, TurnId, Usage } from "./data.js";

/** Encoded content, as base64. The store keeps it as it is. */
export type Bytes = string;

/** Bounds of a read: it ends at whichever comes first, but never before one message. */
export interface Limit {
  messages: number;
  bytes: number;
}

/** A stored message. */
export interface Row {
  seq: number;
  parent: number | null;
  turn: TurnId | null;
  role: Role;
  status: Status;
  body: Bytes;
  model: string | null;
  usage: Usage | null;
  created_ms: number;
}

/** A stored session. */
export interface SessionRow {
  id: string;
  title: Bytes | null;
  pin: Bytes | null;
  meta?: Bytes | null;
  /** Whether it stands before the others in lists. */
  pinned?: boolean;
  /** Whether it is put away: a list shows either those that are or those that are not. */
  archived?: boolean;
  /** How long after its last change it is deleted. */
  ttl_ms?: number | null;
  head: number | null;
  /** The summary that stands for the branch up to its parent. */
  summary?: number | null;
  version: number;
  messages: number;
  running: TurnId | null;
  /** Whether the running turn has outlived its lease. */
  expired: boolean;
  /** What the running turn has reserved. */
  reserved?: Reserved[];
  created_ms: number;
  updated_ms: number;
}

/** A piece of a running reply. */
export interface Chunk {
  from: number;
  to: number;
  body: Bytes;
}

/** A correction of a counter. */
interface Settle {
  name: string;
  key: string;
  start_ms: number;
  by: number;
}

/** A counter that a turn must find below its limit, and to which it adds; its windows begin at multiples of their length. */
export interface Counter {
  name: string;
  key: string;
  window_ms: number;
  add: number;
  limit: number;
  unit: "turns" | "tokens" | "cost";
}

/** What a running turn has reserved; kept with it until it ends. */
export interface Reserved extends Pick<Counter, "name" | "key" | "add" | "unit"> {
  /** When the window began. */
  start_ms: number;
}

export interface Begin {
  owner: string;
  session: string;
  turn: TurnId;
  /** Unique in the session for 24 h, with the hash of what is asked. */
  key: { key: string; hash: Bytes } | null;
  /** Where the turn hangs; `beside: null` is beside the head. */
  parent: "head" | { under: number } | { beside: number | null };
  if_version: number | null;
  /** The user's message; `null` answers a user's message again, or goes on from a reply. */
  message: Bytes | null;
  /** The title of a session that this makes. */
  title: Bytes | null;
  model: string;
  /** The persona: kept if the session has none yet, or if `replace` is set. */
  pin: { body: Bytes; replace: boolean };
  lease_ms: number;
  /** How much of the branch to return. */
  window: Limit;
  /** How long after its last change a session that this makes is deleted. */
  ttl_ms: number | null;
  /** What the turn must find below its limits: all of it is reserved, or nothing. */
  reserve: Counter[];
  /** How many turns of the owner may run, this one counted. */
  max_running: number | null;
}

export type Begun =
  | {
      started: {
        session: SessionRow;
        created: boolean;
        user_seq: number | null;
        reply_seq: number;
        /** The branch up to the reply's parent, oldest first. */
        window: Row[];
        /** The session's summary. */
        summary?: Row | null;
      };
    }
  | { replay: { turn: TurnId } }
  | { busy: { turn: TurnId; lease_left_ms: number } }
  | { stale: { turn: TurnId } }
  | { limited: { name: string | null; retry_after_ms: number | null } };

export interface Checkpoint {
  owner: string;
  turn: TurnId;
  /** Where the piece begins, which must be where the last one ended. */
  from: number;
  to: number;
  /** Empty to renew the lease only. */
  body: Bytes;
  lease_ms: number;
  /** Whether it must be on disk before the answer. */
  sync: boolean;
}

export type Kept = { renewed: { cancel: boolean } } | "refused";

export interface Finish {
  owner: string;
  turn: TurnId;
  status: Exclude<Status, "running">;
  body: Bytes;
  usage: Usage | null;
  /** What it cost, in millionths of the unit of the prices. With the usage it goes to the owner's ledger, as one call. */
  cost: number;
  /** What is added to counters; none falls below 0. */
  settle: Settle[];
  /** Only if its lease has run out: this ends a turn that died. */
  if_expired: boolean;
}

export type Sealed = "now" | { before: Row } | { alive: { lease_left_ms: number } };

/** What an imported session is like besides its messages. */
export interface Imported extends Pick<SessionRow, "id" | "title" | "pin" | "head" | "created_ms" | "updated_ms"> {
  meta: Bytes | null;
  pinned: boolean;
  archived: boolean;
}

/** Throw an `UnsupportedError` for what the store lacks. */
export type Op =
  | { create: { session: string; title: Bytes | null; pin: Bytes | null; meta: Bytes | null; ttl_ms: number | null } }
  | { set_title: { session: string; title: Bytes | null; over: Bytes | null } }
  | { set_meta: { session: string; meta: Bytes | null } }
  | { mark: { session: string; pinned: boolean | null; archived: boolean | null } }
  | { set_ttl: { session: string; ttl_ms: number | null } }
  | { set_pin: { session: string; pin: Bytes } }
  | { set_head: { session: string; head: number; if_version: number | null } }
  | { cancel: { turn: TurnId } }
  | { delete: { session: string } }
  | { delete_many: { sessions: string[] } }
  | { delete_empty: { limit: number } }
  | { erase: { limit: number } }
  | { claim: { from: string } }
  | { import: { session: Imported; after: number; rows: Row[] } }
  | {
      append: {
        session: string;
        parent: Begin["parent"];
        rows: Pick<Row, "role" | "status" | "body" | "model" | "usage">[];
        if_version: number | null;
        title: Bytes | null;
        ttl_ms: number | null;
      };
    }
  | { add_summary: Pick<Row, "body" | "usage"> & { session: string; upto: number; over: number | null; model: string } }
  | { set_summary: { session: string; summary: number | null } }
  | {
      index: {
        session: string;
        from: number;
        upto: number;
        messages: { seq: number; terms: string[] }[];
        title: { of: Bytes | null; terms: string[] } | null;
      };
    }
  | { unindex: { limit: number } }
  | { reseal: { session: string; if_version: number | null; resealed: Resealed[] } }
  | { bill: { session: string; model: string; purpose: Purpose; usage: Usage; cost: number } }
  /** All below their limits, or `limited` and nothing is done; `count` is a time that lies in the window of each. */
  | { reserve: { counters: Counter[] } }
  | { settle: { settle: Settle[] } };

/** Bytes that take the place of others, if those have this SHA-256. */
export interface Resealed {
  part: "title" | "pin" | "meta" | { message: number };
  was: Bytes;
  bytes: Bytes;
}

type Purpose = "turn" | "title" | "summary";

export interface Apply {
  owner: string;
  /** The same for each try of one call. */
  op_id: string;
  /** All of them, or none. */
  ops: Op[];
}

/** What each op did. */
export type Done = { version: number } | { count: number } | { seq: number } | "nothing";

export interface Read {
  owner: string;
  read:
    | { branch: { session: string; head: number | null; limit: Limit } }
    | { tree: { session: string; after: number; limit: Limit; bodies: boolean } }
    | { tail: { turn: TurnId; from: number } };
}

export interface View {
  session: SessionRow;
  rows: Row[];
  /** For a tail the pieces that end after `from`; for other reads all of a running reply among `rows`. */
  chunks: Chunk[];
  more: boolean;
}

export interface Query {
  owner: string;
  query:
    | { sessions: { after: Cursor | null; limit: number; archived: boolean } }
    | { session: { session: string } }
    /** Turns that run and whose lease holds. */
    | "turns"
    | { changes: { after: number; limit: number } }
    /** The number of the newest entry that the journal ever had. */
    | "journal_end"
    | { journals: { after: [owner: string, n: number][]; limit: number } }
    | { search: { terms: string[]; prefix: boolean; after: string | null; limit: number } }
    | { unindexed: { limit: number } }
    /** Owners who have sessions, by name. */
    | { owners: { after: string | null; limit: number } }
    | {
        usage: {
          from_ms: number | null;
          to_ms: number | null;
          session: string | null;
          by: ("day" | "session" | "model" | "purpose")[];
        };
      }
    | { counters: Pick<Counter, "name" | "key" | "window_ms">[] };
}

/** What was used, of one group of the ledger. */
export interface Sum {
  day_ms?: number;
  session?: string;
  model?: string;
  purpose?: Purpose;
  calls: number;
  usage: Usage;
  cost: number;
}

export type Found =
  | { sessions: { rows: SessionRow[]; more: boolean } }
  | { turns: [session: string, turn: TurnId][] }
  | { changes: Change[] }
  | { journal_end: number }
  | { journals: [owner: string, changes: Change[]][] }
  | { hits: { hits: { session: SessionRow; row: Row | null }[]; next: string | null } }
  | { owners: string[] }
  | { unindexed: { session: string; indexed: number; title: boolean }[] }
  | { usage: Sum[] }
  | { counters: number[] };

export interface Swept {
  /** Turns whose lease has run out, with their owners. */
  expired: [owner: string, turn: TurnId][];
  deleted: number;
  more: boolean;
}

type Answered<T> = T | Promise<T>;

/** A durable store. What each method must do is written at the Rust trait of the same name, and tested by its suite. */
export interface Memory {
  /** Whether it survives the process. */
  durable?: boolean;
  /** Whether other processes use it at the same time. */
  shared?: boolean;
  /** Milliseconds that a running turn is believed alive without a checkpoint. */
  leaseMs?: number;
  /** Milliseconds between two looks for news of a turn that runs elsewhere. */
  pollMs?: number;
  /** Milliseconds that one call may take. */
  timeoutMs?: number;
  beginTurn(begin: Begin, signal: AbortSignal): Answered<Begun>;
  checkpoint(checkpoint: Checkpoint, signal: AbortSignal): Answered<Kept>;
  finishTurn(finish: Finish, signal: AbortSignal): Answered<Sealed>;
  apply(apply: Apply, signal: AbortSignal): Answered<Done[]>;
  read(read: Read, signal: AbortSignal): Answered<View>;
  query(query: Query, signal: AbortSignal): Answered<Found>;
  sweep(sweep: { limit: number }, signal: AbortSignal): Answered<Swept>;
  close?(args: object, signal: AbortSignal): Answered<void>;
}
