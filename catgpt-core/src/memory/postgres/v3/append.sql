-- Adds finished messages to a branch and shows it; makes the session if it is not there. The rows are in `rows`, their
-- bodies the last of p_bytes, from `bodies` on.
CREATE FUNCTION catgpt.append_v3(p_owner text, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  s catgpt.session;
  a catgpt.answer_v2;
  d catgpt.did_v2;
  v_made boolean := false;
  v_count bigint := jsonb_array_length(o -> 'rows');
BEGIN
  LOOP
    SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = o ->> 'session' FOR UPDATE;
    a := catgpt.gate_v2(s, (o ->> 'place')::smallint, (o ->> 'parent')::bigint, (o ->> 'if_version')::bigint, true);
    CASE a.outcome
    WHEN 'changed' THEN PERFORM catgpt.refuse_v1('changed', a.number::text);
    WHEN 'no_message' THEN PERFORM catgpt.refuse_v1('no_message', coalesce(a.number::text, ''));
    WHEN 'busy', 'stale' THEN PERFORM catgpt.refuse_v1('busy', a.other::text);
    ELSE EXIT WHEN s.sid IS NOT NULL;
    END CASE;
    INSERT INTO catgpt.session(owner, id, ttl, created_at, updated_at)
      VALUES (p_owner, o ->> 'session', (o ->> 'ttl')::bigint, p_now, p_now) ON CONFLICT (owner, id) DO NOTHING
      RETURNING * INTO s;
    -- Somebody else made it meanwhile: decide again.
    v_made := s.sid IS NOT NULL;
    EXIT WHEN v_made;
  END LOOP;
  INSERT INTO catgpt.message(sid, seq, parent, role, status, created_at, model, usage, body)
    SELECT s.sid, s.last_seq + r.nth, CASE r.nth WHEN 1 THEN a.number ELSE s.last_seq + r.nth - 1 END,
      (r.one ->> 'role')::smallint, (r.one ->> 'status')::smallint, p_now, r.one ->> 'model', r.one ->> 'usage', b.body
    FROM jsonb_array_elements(o -> 'rows') WITH ORDINALITY r(one, nth)
      JOIN unnest(p_bytes) WITH ORDINALITY b(body, nth) ON b.nth = r.nth + (o ->> 'bodies')::bigint;
  UPDATE catgpt.session x SET head = CASE v_count WHEN 0 THEN a.number ELSE s.last_seq + v_count END,
      last_seq = s.last_seq + v_count, version = x.version + (NOT v_made)::int, updated_at = p_now,
      title = coalesce(x.title, CASE x.last_seq WHEN 0 THEN p_bytes[(o ->> 'title')::int] END)
    WHERE x.sid = s.sid
    RETURNING CASE v_count WHEN 0 THEN 1 ELSE 3 END, CASE v_count WHEN 0 THEN x.version ELSE x.last_seq END, NULL,
      ARRAY[x.id], ARRAY[CASE WHEN v_made THEN 0 ELSE 2 END::smallint] INTO d;
  RETURN d;
END $f$;
