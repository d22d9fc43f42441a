-- Operations that write messages: summaries and imports.

-- Adds a summary under what it covers, and lets it stand for that if p_over stood there.
CREATE FUNCTION catgpt.add_summary_v2(s catgpt.session, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  d catgpt.did_v2;
  v_upto bigint := o ->> 'upto';
BEGIN
  IF v_upto NOT BETWEEN 1 AND s.last_seq THEN PERFORM catgpt.refuse_v1('no_message', v_upto::text); END IF;
  IF (o ->> 'over')::bigint IS DISTINCT FROM s.summary THEN RETURN d; END IF;
  INSERT INTO catgpt.message(sid, seq, parent, role, status, created_at, model, usage, body)
    VALUES (s.sid, s.last_seq + 1, v_upto, 3, 1, p_now, o ->> 'model', o ->> 'usage', p_bytes[(o ->> 'body')::int]);
  UPDATE catgpt.session x SET last_seq = s.last_seq + 1, summary = s.last_seq + 1 WHERE x.sid = s.sid;
  d := catgpt.changed_v2(s.sid, 2::smallint, p_now);
  d.what := 3;
  d.number := s.last_seq + 1;
  RETURN d;
END $f$;

CREATE FUNCTION catgpt.set_summary_v2(s catgpt.session, p_summary bigint, p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
BEGIN
  IF p_summary IS NOT NULL THEN
    PERFORM FROM catgpt.message m WHERE m.sid = s.sid AND m.seq = p_summary AND m.role = 3;
    IF NOT FOUND THEN PERFORM catgpt.refuse_v1('no_message', p_summary::text); END IF;
  END IF;
  UPDATE catgpt.session x SET summary = p_summary WHERE x.sid = s.sid;
  RETURN catgpt.changed_v2(s.sid, 2::smallint, p_now);
END $f$;

-- Makes a session of messages from elsewhere, or adds more of them. The rows are arrays of the same length in `rows`;
-- their bodies are the last of p_bytes, from `bodies` on.
CREATE FUNCTION catgpt.import_v2(p_owner text, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  s catgpt.session;
  d catgpt.did_v2;
  v_after bigint := o ->> 'after';
  v_count bigint := jsonb_array_length(o -> 'rows');
BEGIN
  INSERT INTO catgpt.session(owner, id, created_at, updated_at) SELECT p_owner, o ->> 'session', p_now, p_now
    WHERE v_after = 0 ON CONFLICT (owner, id) DO NOTHING RETURNING * INTO s;
  IF FOUND THEN
    d.kinds := '{0}';
  ELSE
    SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = o ->> 'session' FOR UPDATE;
    IF NOT FOUND THEN PERFORM catgpt.refuse_v1('no_session', o ->> 'session'); END IF;
    IF s.run IS NOT NULL THEN PERFORM catgpt.refuse_v1('busy', s.run::text); END IF;
    IF v_after = 0 OR s.last_seq <> v_after THEN PERFORM catgpt.refuse_v1('messages', s.last_seq::text); END IF;
    d.kinds := '{2}';
  END IF;
  INSERT INTO catgpt.message(sid, seq, parent, role, status, created_at, model, usage, body)
    SELECT s.sid, v_after + r.nth, (r.one ->> 'parent')::bigint, (r.one ->> 'role')::smallint,
      (r.one ->> 'status')::smallint, (r.one ->> 'created')::bigint, r.one ->> 'model', r.one ->> 'usage', b.body
    FROM jsonb_array_elements(o -> 'rows') WITH ORDINALITY r(one, nth)
      JOIN unnest(p_bytes) WITH ORDINALITY b(body, nth) ON b.nth = r.nth + (o ->> 'bodies')::bigint;
  UPDATE catgpt.session x SET title = p_bytes[(o ->> 'title')::int], pin = p_bytes[(o ->> 'pin')::int],
      meta = p_bytes[(o ->> 'meta')::int], pinned = (o ->> 'pinned')::boolean, archived = (o ->> 'archived')::boolean,
      head = (o ->> 'head')::bigint, last_seq = v_after + v_count, created_at = (o ->> 'created')::bigint,
      updated_at = (o ->> 'updated')::bigint, version = x.version + (v_after > 0)::int
    WHERE x.sid = s.sid RETURNING 1::smallint, x.version, ARRAY[x.id] INTO d.what, d.number, d.sessions;
  RETURN d;
END $f$;
