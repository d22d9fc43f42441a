-- Operations: all of a call or none, and once only.

-- Refuses the whole call.
CREATE FUNCTION catgpt.refuse_v1(p_what text, p_fact text) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  RAISE EXCEPTION '%', p_what USING ERRCODE = 'CG001', DETAIL = p_fact;
END $f$;

-- One element a column and operation. p_bodies: the title or the persona; p_pins: the persona of one that is made;
-- p_heads and p_versions: of set_head.
CREATE FUNCTION catgpt.apply_v1(p_owner text, p_op uuid, p_kinds text[], p_sessions text[], p_turns uuid[],
  p_bodies bytea[], p_pins bytea[], p_heads bigint[], p_versions bigint[])
RETURNS bigint[] LANGUAGE plpgsql AS $f$
DECLARE
  s catgpt.session;
  v_now bigint := catgpt.now_v1();
  v_done bigint[] := '{}';
  v_one bigint;
  v_kind smallint;
  v_noted text[] := '{}';
  v_kinds smallint[] := '{}';
BEGIN
  LOOP
    -- Takes its place first: the same call at the same time waits here.
    INSERT INTO catgpt.op AS o(owner, id, at) VALUES (p_owner, p_op, v_now)
      ON CONFLICT (owner, id) DO UPDATE SET at = excluded.at WHERE o.at <= v_now - 86400000;
    EXIT WHEN FOUND;
    SELECT o.done INTO v_done FROM catgpt.op o WHERE o.owner = p_owner AND o.id = p_op;
    IF FOUND THEN RETURN v_done; END IF;
  END LOOP;
  IF cardinality(p_kinds) > 1 THEN
    PERFORM FROM catgpt.session x WHERE x.owner = p_owner AND (x.id = ANY (p_sessions) OR x.run = ANY (p_turns))
      ORDER BY x.sid FOR UPDATE;
  END IF;

  FOR k IN 1 .. cardinality(p_kinds) LOOP
    v_one := NULL;
    v_kind := NULL;
    IF p_kinds[k] = 'cancel' THEN
      PERFORM catgpt.cancel_v1(p_owner, p_turns[k]);
    ELSIF p_kinds[k] = 'create' THEN
      INSERT INTO catgpt.session(owner, id, title, pin, created_at, updated_at)
        VALUES (p_owner, p_sessions[k], p_bodies[k], p_pins[k], v_now, v_now)
        ON CONFLICT (owner, id) DO NOTHING RETURNING version INTO v_one;
      v_kind := CASE WHEN FOUND THEN 0 END;
    ELSE
      SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = p_sessions[k] FOR UPDATE;
      IF NOT FOUND THEN PERFORM catgpt.refuse_v1('no_session', ''); END IF;
      CASE p_kinds[k]
      WHEN 'title' THEN
        UPDATE catgpt.session x SET title = p_bodies[k] WHERE x.sid = s.sid;
        v_kind := 1;
      WHEN 'pin' THEN
        UPDATE catgpt.session x SET pin = p_bodies[k] WHERE x.sid = s.sid;
        v_kind := 2;
      WHEN 'head' THEN
        IF p_versions[k] <> s.version THEN PERFORM catgpt.refuse_v1('changed', s.version::text); END IF;
        IF s.run IS NOT NULL THEN PERFORM catgpt.refuse_v1('busy', s.run::text); END IF;
        IF p_heads[k] NOT BETWEEN 1 AND s.last_seq THEN PERFORM catgpt.refuse_v1('no_message', p_heads[k]::text); END IF;
        UPDATE catgpt.session x SET head = p_heads[k] WHERE x.sid = s.sid;
        v_kind := 2;
      WHEN 'delete' THEN
        DELETE FROM catgpt.session x WHERE x.sid = s.sid;
        v_kind := 3;
      END CASE;
      IF v_kind <> 3 THEN
        UPDATE catgpt.session x SET version = x.version + 1, updated_at = v_now WHERE x.sid = s.sid
          RETURNING x.version INTO v_one;
      END IF;
    END IF;
    v_done := v_done || v_one;
    IF v_kind IS NOT NULL THEN
      v_noted := v_noted || p_sessions[k];
      v_kinds := v_kinds || v_kind;
    END IF;
  END LOOP;

  UPDATE catgpt.op o SET done = v_done WHERE o.owner = p_owner AND o.id = p_op;
  IF cardinality(v_kinds) > 0 THEN
    PERFORM catgpt.note_v1(p_owner, v_noted, '{}', v_kinds, v_now);
  END IF;
  RETURN v_done;
END $f$;

-- Asks a running turn to stop; one that has ended is left as it is.
CREATE FUNCTION catgpt.cancel_v1(p_owner text, p_turn uuid) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE v_status smallint;
BEGIN
  LOOP
    UPDATE catgpt.session x SET run_cancel = true WHERE x.run = p_turn AND x.owner = p_owner;
    EXIT WHEN FOUND;
    SELECT m.status INTO v_status FROM catgpt.message m JOIN catgpt.session x ON x.sid = m.sid
      WHERE m.turn = p_turn AND m.role = 2 AND x.owner = p_owner;
    IF NOT FOUND THEN PERFORM catgpt.refuse_v1('no_turn', p_turn::text); END IF;
    -- Between the two looks it may have begun.
    EXIT WHEN v_status <> 0;
  END LOOP;
END $f$;

-- Names turns that died; deletes what is older than a day.
CREATE FUNCTION catgpt.sweep_v1(p_limit bigint)
RETURNS TABLE(owners text[], turns uuid[], deleted bigint, more boolean) LANGUAGE plpgsql AS $f$
DECLARE
  v_now bigint := catgpt.now_v1();
  v_old bigint := v_now - 86400000;
  v_rows bigint;
BEGIN
  SELECT array_agg(t.owner), array_agg(t.run) INTO owners, turns FROM (
    SELECT x.owner, x.run FROM catgpt.session x WHERE x.run IS NOT NULL AND x.run_until <= v_now LIMIT p_limit + 1) t;
  more := coalesce(cardinality(turns) > p_limit, false);
  DELETE FROM catgpt.idem WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM catgpt.idem x WHERE x.at <= v_old ORDER BY x.at LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  DELETE FROM catgpt.op WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM catgpt.op x WHERE x.at <= v_old ORDER BY x.at LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  deleted := deleted + v_rows;
  DELETE FROM catgpt.change WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM catgpt.change x WHERE x.at <= v_old ORDER BY x.at, x.n LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  deleted := deleted + v_rows;
  more := more OR EXISTS (SELECT FROM catgpt.idem WHERE at <= v_old) OR EXISTS (SELECT FROM catgpt.op WHERE at <= v_old)
    OR EXISTS (SELECT FROM catgpt.change WHERE at <= v_old);
  RETURN NEXT;
END $f$;
