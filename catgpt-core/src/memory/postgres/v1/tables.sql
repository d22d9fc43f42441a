-- Schema 1. Every index is one more page that a turn writes, so there is none that a query could do without.
-- Times are milliseconds since 1970 by this server's clock: a list goes on from the exact value that a reader saw.
DO $$ BEGIN
  -- Whoever may not make schemas can be given this one.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'catgpt') THEN CREATE SCHEMA catgpt; END IF;
END $$;

-- One row: the version of what is here, and the oldest program that may use it.
CREATE TABLE catgpt.meta(version int NOT NULL, min_reader int NOT NULL);

CREATE TABLE catgpt.session(
  sid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never leaves the store
  owner text COLLATE "C" NOT NULL CHECK(owner <> ''),
  id text COLLATE "C" NOT NULL CHECK(id <> ''),
  head bigint,
  last_seq bigint NOT NULL DEFAULT 0, -- so also the number of messages
  version bigint NOT NULL DEFAULT 1,
  run uuid, -- the running turn, its reply, and until when it is believed alive
  run_seq bigint,
  run_until bigint,
  run_cancel boolean NOT NULL DEFAULT false,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  title bytea,
  pin bytea,
  UNIQUE(owner, id)
) WITH (fillfactor = 80); -- room for a renewed lease in the same page
CREATE INDEX session_list ON catgpt.session(owner, updated_at, id);
-- Not on run_until: every renewal would write it.
CREATE UNIQUE INDEX session_run ON catgpt.session(run) WHERE run IS NOT NULL;

CREATE TABLE catgpt.message(
  sid bigint NOT NULL REFERENCES catgpt.session ON DELETE CASCADE,
  seq bigint NOT NULL,
  parent bigint,
  turn uuid,
  role smallint NOT NULL,
  status smallint NOT NULL,
  created_at bigint NOT NULL,
  model text,
  usage text,
  body bytea NOT NULL,
  PRIMARY KEY(sid, seq)
);
-- Replies only: a user's message has the same turn.
CREATE UNIQUE INDEX message_turn ON catgpt.message(turn) WHERE role = 2;

-- Pieces of running replies: small and short-lived.
CREATE TABLE catgpt.chunk(
  sid bigint NOT NULL REFERENCES catgpt.session ON DELETE CASCADE,
  seq bigint NOT NULL,
  start bigint NOT NULL,
  stop bigint NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY(sid, seq, start)
);

-- Idempotency keys. They outlive their session, so they name it as the caller does.
CREATE TABLE catgpt.idem(
  owner text COLLATE "C" NOT NULL,
  session text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  hash bytea NOT NULL,
  turn uuid NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY(owner, session, key)
);
CREATE INDEX idem_age ON catgpt.idem(at);

-- What each operation answered: a version, or null for nothing.
CREATE TABLE catgpt.op(
  owner text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  done bigint[],
  at bigint NOT NULL,
  PRIMARY KEY(owner, id)
);
CREATE INDEX op_age ON catgpt.op(at);

-- The journal of each owner, and how far each has been numbered.
CREATE TABLE catgpt.change(
  owner text COLLATE "C" NOT NULL,
  n bigint NOT NULL,
  session text COLLATE "C" NOT NULL,
  turn uuid,
  kind smallint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY(owner, n)
);
CREATE INDEX change_age ON catgpt.change(at);
CREATE TABLE catgpt.journal(
  owner text COLLATE "C" PRIMARY KEY,
  n bigint NOT NULL
) WITH (fillfactor = 50);

-- What the functions answer: one row, of which each fills its part. Lists are one array a column, so that a session's
-- persona is not sent again with each of its messages.
CREATE TYPE catgpt.answer_v1 AS (
  outcome text,
  other uuid, -- a turn
  number bigint, -- a version, a message, milliseconds
  made boolean,
  asked bigint,
  reply bigint,
  s_id text,
  s_title bytea,
  s_pin bytea,
  s_head bigint,
  s_version bigint,
  s_messages bigint,
  s_running uuid,
  s_expired boolean,
  s_created bigint,
  s_updated bigint,
  m_seq bigint[],
  m_parent bigint[],
  m_turn uuid[],
  m_role smallint[],
  m_status smallint[],
  m_body bytea[],
  m_model text[],
  m_usage text[],
  m_created bigint[],
  more boolean,
  c_start bigint[],
  c_stop bigint[],
  c_body bytea[]
);
