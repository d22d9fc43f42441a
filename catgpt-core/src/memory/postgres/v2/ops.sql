-- Operations: all of a call or none, and once only. Each is one JSON object; bytes are places in p_bytes.

-- p_kept: whether the answer is kept. p_sessions and p_turns: what the operations name, to be locked in one order.
CREATE FUNCTION catgpt.apply_v2(p_owner text, p_op uuid, p_kept boolean, p_sessions text[], p_turns uuid[], p_ops jsonb,
  p_bytes bytea[])
RETURNS TABLE(whats smallint[], numbers bigint[]) LANGUAGE plpgsql AS $f$
DECLARE
  o jsonb;
  d catgpt.did_v2;
  v_now bigint := catgpt.now_v1();
  v_owners text[] := '{}';
  v_noted text[] := '{}';
  v_kinds smallint[] := '{}';
BEGIN
  WHILE p_kept LOOP
    -- Takes its place first: the same call at the same time waits here.
    INSERT INTO catgpt.op AS x(owner, id, at) VALUES (p_owner, p_op, v_now)
      ON CONFLICT (owner, id) DO UPDATE SET at = excluded.at WHERE x.at <= v_now - 86400000;
    EXIT WHEN FOUND;
    SELECT x.whats, x.done INTO whats, numbers FROM catgpt.op x WHERE x.owner = p_owner AND x.id = p_op;
    IF FOUND THEN RETURN NEXT; RETURN; END IF;
  END LOOP;
  IF cardinality(p_sessions) + cardinality(p_turns) > 1 THEN
    PERFORM FROM catgpt.session x WHERE x.owner = p_owner AND (x.id = ANY (p_sessions) OR x.run = ANY (p_turns))
      ORDER BY x.sid FOR UPDATE;
  END IF;

  whats := '{}';
  numbers := '{}';
  FOR o IN SELECT jsonb_array_elements(p_ops) LOOP
    IF o ->> 'kind' = 'erase' THEN
      -- The journal may be gone afterwards.
      PERFORM catgpt.notes_v2(v_owners, v_noted, v_kinds, v_now);
      v_owners := '{}'; v_noted := '{}'; v_kinds := '{}';
    END IF;
    d := catgpt.do_v2(p_owner, o, p_bytes, v_now);
    whats := whats || coalesce(d.what, 0::smallint);
    numbers := numbers || d.number;
    v_owners := v_owners || coalesce(d.owners, array_fill(p_owner, ARRAY[coalesce(cardinality(d.kinds), 0)]));
    v_noted := v_noted || d.sessions;
    v_kinds := v_kinds || d.kinds;
  END LOOP;

  UPDATE catgpt.op x SET whats = apply_v2.whats, done = apply_v2.numbers WHERE p_kept AND x.owner = p_owner AND x.id = p_op;
  PERFORM catgpt.notes_v2(v_owners, v_noted, v_kinds, v_now);
  -- After the journal, as everywhere.
  FOR o IN SELECT t.o FROM jsonb_array_elements(p_ops) t(o) WHERE t.o ->> 'kind' IN ('bill', 'claim')
    ORDER BY t.o ->> 'session' COLLATE "C", t.o ->> 'model' COLLATE "C", t.o ->> 'purpose'
  LOOP
    IF o ->> 'kind' = 'claim' THEN
      PERFORM catgpt.merge_v2(p_owner, o ->> 'from');
    ELSE
      PERFORM catgpt.bill_v2(p_owner, o ->> 'session', o ->> 'model', (o ->> 'purpose')::smallint,
        ARRAY(SELECT jsonb_array_elements_text(o -> 'spent')::bigint), v_now);
    END IF;
  END LOOP;
  RETURN NEXT;
END $f$;

-- One operation.
CREATE FUNCTION catgpt.do_v2(p_owner text, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  d catgpt.did_v2;
  s catgpt.session;
BEGIN
  CASE o ->> 'kind'
  WHEN 'bill' THEN RETURN d;
  WHEN 'cancel' THEN
    PERFORM catgpt.cancel_v1(p_owner, (o ->> 'turn')::uuid);
    RETURN d;
  WHEN 'create' THEN RETURN catgpt.create_v2(p_owner, o, p_bytes, p_now);
  WHEN 'import' THEN RETURN catgpt.import_v2(p_owner, o, p_bytes, p_now);
  WHEN 'delete_many' THEN RETURN catgpt.delete_v2(p_owner, ARRAY(SELECT jsonb_array_elements_text(o -> 'sessions')));
  WHEN 'delete_empty' THEN RETURN catgpt.delete_empty_v2(p_owner, (o ->> 'limit')::bigint);
  WHEN 'erase' THEN RETURN catgpt.erase_v2(p_owner, (o ->> 'limit')::bigint);
  WHEN 'claim' THEN RETURN catgpt.claim_v2(p_owner, o ->> 'from');
  ELSE
    SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = o ->> 'session' FOR UPDATE;
    IF NOT FOUND THEN PERFORM catgpt.refuse_v1('no_session', o ->> 'session'); END IF;
  END CASE;
  CASE o ->> 'kind'
  WHEN 'delete' THEN
    d := catgpt.delete_v2(p_owner, ARRAY[s.id]);
    d.what := 0;
    d.number := NULL;
    RETURN d;
  WHEN 'head' THEN RETURN catgpt.head_v2(s, o, p_now);
  WHEN 'add_summary' THEN RETURN catgpt.add_summary_v2(s, o, p_bytes, p_now);
  WHEN 'set_summary' THEN RETURN catgpt.set_summary_v2(s, (o ->> 'summary')::bigint, p_now);
  WHEN 'index' THEN RETURN catgpt.index_v2(s, o, p_bytes);
  ELSE RETURN catgpt.describe_v2(s, o, p_bytes[(o ->> 'bytes')::int], p_bytes[(o ->> 'over')::int], p_now);
  END CASE;
END $f$;

-- A new version of a session, of which the journal says p_kind.
CREATE FUNCTION catgpt.changed_v2(p_sid bigint, p_kind smallint, p_now bigint) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE d catgpt.did_v2;
BEGIN
  UPDATE catgpt.session x SET version = x.version + 1, updated_at = coalesce(p_now, x.updated_at) WHERE x.sid = p_sid
    RETURNING 1, x.version, NULL, ARRAY[x.id], ARRAY[p_kind] INTO d;
  RETURN d;
END $f$;

CREATE FUNCTION catgpt.create_v2(p_owner text, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE d catgpt.did_v2;
BEGIN
  INSERT INTO catgpt.session(owner, id, title, pin, meta, ttl, created_at, updated_at)
    VALUES (p_owner, o ->> 'session', p_bytes[(o ->> 'title')::int], p_bytes[(o ->> 'pin')::int],
      p_bytes[(o ->> 'meta')::int], (o ->> 'ttl')::bigint, p_now, p_now)
    ON CONFLICT (owner, id) DO NOTHING RETURNING version INTO d.number;
  IF FOUND THEN
    d.what := 1;
    d.sessions := ARRAY[o ->> 'session'];
    d.kinds := '{0}';
  END IF;
  RETURN d;
END $f$;

-- What a session is like. p_over: the title in whose place alone another one comes.
CREATE FUNCTION catgpt.describe_v2(s catgpt.session, o jsonb, p_bytes bytea, p_over bytea, p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE d catgpt.did_v2;
BEGIN
  CASE o ->> 'kind'
  WHEN 'title' THEN
    IF p_over IS DISTINCT FROM s.title AND p_over IS NOT NULL THEN RETURN d; END IF;
    UPDATE catgpt.session x SET title = p_bytes WHERE x.sid = s.sid;
    RETURN catgpt.changed_v2(s.sid, CASE WHEN p_over IS NULL THEN 6 ELSE 1 END::smallint, p_now);
  WHEN 'meta' THEN UPDATE catgpt.session x SET meta = p_bytes WHERE x.sid = s.sid;
  WHEN 'pin' THEN UPDATE catgpt.session x SET pin = p_bytes WHERE x.sid = s.sid;
  WHEN 'ttl' THEN UPDATE catgpt.session x SET ttl = (o ->> 'ttl')::bigint WHERE x.sid = s.sid;
  WHEN 'mark' THEN
    UPDATE catgpt.session x SET pinned = coalesce((o ->> 'pinned')::boolean, x.pinned),
      archived = coalesce((o ->> 'archived')::boolean, x.archived) WHERE x.sid = s.sid;
    RETURN catgpt.changed_v2(s.sid, 2::smallint, NULL);
  END CASE;
  RETURN catgpt.changed_v2(s.sid, 2::smallint, p_now);
END $f$;

CREATE FUNCTION catgpt.head_v2(s catgpt.session, o jsonb, p_now bigint) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE v_head bigint := o ->> 'head';
BEGIN
  IF (o ->> 'if_version')::bigint <> s.version THEN PERFORM catgpt.refuse_v1('changed', s.version::text); END IF;
  IF s.run IS NOT NULL THEN PERFORM catgpt.refuse_v1('busy', s.run::text); END IF;
  IF v_head NOT BETWEEN 1 AND s.last_seq THEN PERFORM catgpt.refuse_v1('no_message', v_head::text); END IF;
  UPDATE catgpt.session x SET head = v_head WHERE x.sid = s.sid;
  RETURN catgpt.changed_v2(s.sid, 2::smallint, p_now);
END $f$;
