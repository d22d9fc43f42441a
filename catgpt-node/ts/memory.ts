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
  head: number | null;
  version: number;
  messages: number;
  running: TurnId | null;
  /** Whether the running turn has outlived its lease. */
  expired: boolean;
  created_ms: number;
  updated_ms: number;
}

/** A piece of a running reply. */
export interface Chunk {
  from: number;
  to: number;
  body: Bytes;
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
  /** The user's message; `null` answers the parent again. */
  message: Bytes | null;
  /** The title of a session that this makes. */
  title: Bytes | null;
  model: string;
  /** The persona: kept if the session has none yet, or if `replace` is set. */
  pin: { body: Bytes; replace: boolean };
  lease_ms: number;
  /** How much of the branch to return. */
  window: Limit;
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
      };
    }
  | { replay: { turn: TurnId } }
  | { busy: { turn: TurnId; lease_left_ms: number } }
  | { stale: { turn: TurnId } };

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
  /** Only if its lease has run out: this ends a turn that died. */
  if_expired: boolean;
}

export type Sealed = "now" | { before: Row } | { alive: { lease_left_ms: number } };

export type Op =
  | { create: { session: string; title: Bytes | null; pin: Bytes | null } }
  | { set_title: { session: string; title: Bytes | null } }
  | { set_pin: { session: string; pin: Bytes } }
  | { set_head: { session: string; head: number; if_version: number | null } }
  | { cancel: { turn: TurnId } }
  | { delete: { session: string } };

export interface Apply {
  owner: string;
  /** The same for each try of one call. */
  op_id: string;
  /** All of them, or none. */
  ops: Op[];
}

/** What each op did. */
export type Done = { version: number } | "nothing";

export interface Read {
  owner: string;
  read:
    | { branch: { session: string; head: number | null; limit: Limit } }
    | { tree: { session: string; after: number; limit: Limit } }
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
    | { sessions: { after: Cursor | null; limit: number } }
    | { session: { session: string } }
    /** Turns that run and whose lease holds. */
    | "turns"
    | { changes: { after: number; limit: number } };
}

export type Found =
  | { sessions: { rows: SessionRow[]; more: boolean } }
  | { turns: [session: string, turn: TurnId][] }
  | { changes: Change[] };

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
