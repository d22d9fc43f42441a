-- Operations, as in schema 2, and those of schema 3.

-- p_kept: whether the answer is kept. p_sessions and p_turns: what the operations name, to be locked in one order.
CREATE FUNCTION catgpt.apply_v3(p_owner text, p_op uuid, p_kept boolean, p_sessions text[], p_turns uuid[], p_ops jsonb,
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
    d := catgpt.do_v3(p_owner, o, p_bytes, v_now);
    whats := whats || coalesce(d.what, 0::smallint);
    numbers := numbers || d.number;
    v_owners := v_owners || coalesce(d.owners, array_fill(p_owner, ARRAY[coalesce(cardinality(d.kinds), 0)]));
    v_noted := v_noted || d.sessions;
    v_kinds := v_kinds || d.kinds;
  END LOOP;

  UPDATE catgpt.op x SET whats = apply_v3.whats, done = apply_v3.numbers WHERE p_kept AND x.owner = p_owner AND x.id = p_op;
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
CREATE FUNCTION catgpt.do_v3(p_owner text, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
BEGIN
  CASE o ->> 'kind'
  WHEN 'append' THEN RETURN catgpt.append_v3(p_owner, o, p_bytes, p_now);
  WHEN 'reseal' THEN RETURN catgpt.reseal_v3(p_owner, o, p_bytes);
  WHEN 'unindex' THEN RETURN catgpt.unindex_v3(p_owner, (o ->> 'limit')::bigint);
  ELSE RETURN catgpt.do_v2(p_owner, o, p_bytes, p_now);
  END CASE;
END $f$;
