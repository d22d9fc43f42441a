-- Schema 2: what sessions are like, summaries, search, the ledger, limits. Replicas that know schema 1 only run on beside
-- it: their functions stay, each new column has a value that is right for what they write, and nothing that they read
-- has got a meaning that they do not know. What they leave out: lines of the ledger, times to live, limits, and that the
-- journal of an erased owner goes on where it ended.
ALTER TABLE catgpt.session
  ADD COLUMN pinned boolean NOT NULL DEFAULT false,
  ADD COLUMN archived boolean NOT NULL DEFAULT false,
  ADD COLUMN ttl bigint, -- milliseconds after updated_at
  ADD COLUMN meta bytea,
  ADD COLUMN summary bigint; -- the one that stands for the beginning
DROP INDEX catgpt.session_list;
CREATE INDEX session_list ON catgpt.session(owner, archived, pinned, updated_at, id);
CREATE INDEX session_due ON catgpt.session((updated_at + ttl)) WHERE ttl IS NOT NULL;
-- One index finds the session of a turn and counts the turns of an owner.
DROP INDEX catgpt.session_run;
CREATE UNIQUE INDEX session_run ON catgpt.session(owner, run) WHERE run IS NOT NULL;

-- What a running turn has reserved (JSON). With the reply, since an old replica frees a session without knowing of it.
ALTER TABLE catgpt.message ADD COLUMN reserved text;
-- A kind that schema 1 does not know; then `kind` is the nearest that it does.
ALTER TABLE catgpt.change ADD COLUMN finer smallint;
-- What each number of `done` is: nothing, a version, a count, a message. Null: versions, as schema 1 has them.
ALTER TABLE catgpt.op ADD COLUMN whats smallint[];

-- What each owner used: a line a day (when it began, UTC), session (deleted ones too), model and purpose.
CREATE TABLE catgpt.ledger(
  owner text COLLATE "C" NOT NULL,
  day bigint NOT NULL,
  session text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  purpose smallint NOT NULL,
  calls bigint NOT NULL,
  input bigint NOT NULL,
  output bigint NOT NULL,
  cached bigint NOT NULL,
  reasoning bigint NOT NULL,
  estimated bigint NOT NULL, -- calls whose numbers are guessed
  cost bigint NOT NULL,
  PRIMARY KEY(owner, day, session, model, purpose)
) WITH (fillfactor = 80);

-- Counters of limits, a row a window.
CREATE TABLE catgpt.counter(
  name text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  start bigint NOT NULL,
  ends bigint NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY(name, key, start)
) WITH (fillfactor = 50);
CREATE INDEX counter_age ON catgpt.counter(ends);
CREATE INDEX counter_key ON catgpt.counter(key);

-- How far each session is findable, and the title that is. Apart from the session, which every turn writes anew.
CREATE TABLE catgpt.indexed(
  sid bigint PRIMARY KEY REFERENCES catgpt.session ON DELETE CASCADE,
  upto bigint NOT NULL,
  title bytea
);
-- The words of messages, and of titles as number 0. `at` is when it was made.
CREATE TABLE catgpt.term(
  sid bigint NOT NULL REFERENCES catgpt.session ON DELETE CASCADE,
  seq bigint NOT NULL,
  owner text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  words tsvector NOT NULL,
  PRIMARY KEY(sid, seq)
);
-- The newest first, for words that are everywhere; by words, for those that are not. A search does not wait for a list
-- of what is yet to be put in its place.
CREATE INDEX term_time ON catgpt.term(owner, at, sid, seq);
CREATE INDEX term_words ON catgpt.term USING gin(words) WITH (fastupdate = off);

-- A session as queries answer it. Its clock stands still for a statement, or a list could not stop at its end.
CREATE VIEW catgpt.session_v2 AS
  SELECT s.sid, s.owner, s.archived, s.pinned, s.updated_at, s.id AS s_id, s.title AS s_title, s.pin AS s_pin,
    s.meta AS s_meta, s.pinned AS s_pinned, s.archived AS s_archived, s.ttl AS s_ttl, s.head AS s_head,
    s.summary AS s_summary, s.version AS s_version, s.last_seq AS s_messages, s.run AS s_running,
    s.run IS NOT NULL AND s.run_until <= (extract(epoch FROM statement_timestamp()) * 1000)::bigint AS s_expired,
    CASE WHEN s.run IS NOT NULL THEN
      (SELECT m.reserved FROM catgpt.message m WHERE m.sid = s.sid AND m.seq = s.run_seq) END AS s_reserved,
    s.created_at AS s_created, s.updated_at AS s_updated
  FROM catgpt.session s;

-- What the functions answer, as in schema 1.
CREATE TYPE catgpt.answer_v2 AS (
  outcome text,
  other uuid, -- a turn
  number bigint, -- a version, a message, milliseconds
  name text, -- of a counter
  made boolean,
  asked bigint,
  reply bigint,
  summed boolean, -- the first of the messages is the session's summary, not one of the branch
  s_id text,
  s_title bytea,
  s_pin bytea,
  s_meta bytea,
  s_pinned boolean,
  s_archived boolean,
  s_ttl bigint,
  s_head bigint,
  s_summary bigint,
  s_version bigint,
  s_messages bigint,
  s_running uuid,
  s_expired boolean,
  s_reserved text,
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
-- What one operation did: its answer (0 nothing, 1 a version, 2 a count, 3 a message), and what the journals say.
CREATE TYPE catgpt.did_v2 AS (what smallint, number bigint, owners text[], sessions text[], kinds smallint[]);

-- A sum that ends where the numbers do.
CREATE FUNCTION catgpt.plus_v2(p_one bigint, p_other bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT least(greatest(p_one::numeric + p_other, 0), 9223372036854775807)::bigint
$$;

-- The number of the last of p_more changes of an owner. An erased owner's journal is gone, but not how far it went: those
-- who come anew go on after the greatest such number, which stands where no owner's can.
CREATE FUNCTION catgpt.number_v2(p_owner text, p_more bigint) RETURNS bigint LANGUAGE plpgsql AS $f$
DECLARE v_last bigint;
BEGIN
  UPDATE catgpt.journal j SET n = j.n + p_more WHERE j.owner = p_owner RETURNING j.n INTO v_last;
  IF NOT FOUND THEN
    INSERT INTO catgpt.journal AS j(owner, n)
      VALUES (p_owner, p_more + coalesce((SELECT x.n FROM catgpt.journal x WHERE x.owner = ''), 0))
      ON CONFLICT (owner) DO UPDATE SET n = j.n + p_more RETURNING j.n INTO v_last;
  END IF;
  RETURN v_last;
END $f$;

-- Adds to an owner's journal. Called after all locks but those of counters and of the ledger: from here to their commit
-- turns of one owner wait for each other.
CREATE FUNCTION catgpt.note_v2(p_owner text, p_sessions text[], p_turns uuid[], p_kinds smallint[], p_now bigint)
RETURNS void LANGUAGE plpgsql AS $f$
DECLARE v_before bigint := catgpt.number_v2(p_owner, cardinality(p_kinds)) - cardinality(p_kinds);
BEGIN
  INSERT INTO catgpt.change(owner, n, session, turn, kind, finer, at)
    SELECT p_owner, v_before + k, p_sessions[k], p_turns[k], CASE p_kinds[k] WHEN 6 THEN 1 ELSE p_kinds[k] END,
      CASE p_kinds[k] WHEN 6 THEN 6 END, p_now
    FROM generate_series(1, cardinality(p_kinds)) k;
END $f$;

-- The same for several owners, in their order.
CREATE FUNCTION catgpt.notes_v2(p_owners text[], p_sessions text[], p_kinds smallint[], p_now bigint)
RETURNS void LANGUAGE plpgsql AS $f$
DECLARE o record;
BEGIN
  FOR o IN SELECT c.owner, array_agg(c.session ORDER BY c.nth) AS sessions, array_agg(c.kind ORDER BY c.nth) AS kinds
    FROM unnest(p_owners, p_sessions, p_kinds) WITH ORDINALITY c(owner, session, kind, nth)
    GROUP BY c.owner ORDER BY c.owner COLLATE "C"
  LOOP
    PERFORM catgpt.note_v2(o.owner, o.sessions, '{}', o.kinds, p_now);
  END LOOP;
END $f$;
