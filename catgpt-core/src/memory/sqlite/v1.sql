-- Schema 1. Every index is one more page that a turn writes, so there is none that a query could do without.
CREATE TABLE session(
  sid INTEGER PRIMARY KEY, -- never leaves the store
  owner TEXT NOT NULL CHECK(owner <> ''),
  id TEXT NOT NULL CHECK(id <> ''),
  head INTEGER,
  last_seq INTEGER NOT NULL DEFAULT 0, -- so also the number of messages
  version INTEGER NOT NULL DEFAULT 1,
  run BLOB, -- the running turn, and until when it is believed alive
  run_until INTEGER,
  run_cancel INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  title BLOB, -- large values last: what a turn changes stays in the row's first page
  pin BLOB,
  UNIQUE(owner, id)
) STRICT;
CREATE INDEX session_list ON session(owner, updated_at);
-- Not on run_until: every renewal would write it.
CREATE INDEX session_run ON session(sid) WHERE run IS NOT NULL;

-- With rowids on purpose: WITHOUT ROWID is three times as large and several times slower to read.
CREATE TABLE message(
  rid INTEGER PRIMARY KEY,
  sid INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  parent INTEGER,
  turn BLOB,
  role INTEGER NOT NULL,
  status INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  model TEXT,
  usage TEXT,
  body BLOB NOT NULL,
  UNIQUE(sid, seq)
) STRICT;
CREATE UNIQUE INDEX message_turn ON message(turn) WHERE role = 2; -- replies only: a user's message has the same turn

-- Pieces of running replies: small and short-lived.
CREATE TABLE chunk(
  sid INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  start INTEGER NOT NULL,
  stop INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY(sid, seq, start)
) STRICT, WITHOUT ROWID;

-- Idempotency keys. They outlive their session, so they name it as the caller does.
CREATE TABLE idem(
  rid INTEGER PRIMARY KEY, -- in the order of age, as in `op`: the sweep needs no index of times
  owner TEXT NOT NULL,
  session TEXT NOT NULL,
  key TEXT NOT NULL,
  hash BLOB NOT NULL,
  turn BLOB NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE(owner, session, key)
) STRICT;

-- What each operation answered.
CREATE TABLE op(
  rid INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  id BLOB NOT NULL,
  done TEXT NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE(owner, id)
) STRICT;

-- The journal of each owner, and the last number of what the sweep took from it. Every begin and every end writes it:
-- small rows, so one tree instead of two.
CREATE TABLE change(
  owner TEXT NOT NULL,
  n INTEGER NOT NULL,
  session TEXT NOT NULL,
  turn BLOB,
  kind INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY(owner, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE swept(owner TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
