-- The steps of a turn: one call each, so one round trip, and one transaction that no pooler can tear apart.
--
-- Locks are taken in one order everywhere: operation, sessions by their sid, journal. A VOLATILE function looks anew at
-- each statement, so what it reads after it waited for a session is what the other left.

CREATE FUNCTION catgpt.now_v1() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- Fills in the session.
CREATE FUNCTION catgpt.session_v1(a catgpt.answer_v1, s catgpt.session) RETURNS catgpt.answer_v1
LANGUAGE plpgsql AS $f$
BEGIN
  a.s_id := s.id; a.s_title := s.title; a.s_pin := s.pin; a.s_head := s.head; a.s_version := s.version;
  a.s_messages := s.last_seq; a.s_running := s.run;
  a.s_expired := s.run IS NOT NULL AND s.run_until <= catgpt.now_v1();
  a.s_created := s.created_at; a.s_updated := s.updated_at;
  RETURN a;
END $f$;

-- The newest messages of the branch that ends at p_head, oldest first.
CREATE FUNCTION catgpt.branch_v1(p_sid bigint, p_head bigint, p_messages bigint, p_bytes bigint)
RETURNS TABLE(m_seq bigint[], m_parent bigint[], m_turn uuid[], m_role smallint[], m_status smallint[],
  m_body bytea[], m_model text[], m_usage text[], m_created bigint[], more boolean)
LANGUAGE sql STABLE AS $f$
  WITH RECURSIVE up AS (
    SELECT m.*, 1::bigint AS nth, octet_length(m.body)::bigint AS bytes
      FROM catgpt.message m WHERE m.sid = p_sid AND m.seq = p_head
    UNION ALL
    SELECT m.*, up.nth + 1, up.bytes + octet_length(m.body)
      FROM up JOIN catgpt.message m ON m.sid = p_sid AND m.seq = up.parent
      WHERE up.nth < p_messages AND up.bytes + octet_length(m.body) <= p_bytes)
  SELECT array_agg(seq), array_agg(parent), array_agg(turn), array_agg(role), array_agg(status), array_agg(body),
    array_agg(model), array_agg(usage), array_agg(created_at), coalesce((array_agg(parent))[1] IS NOT NULL, false)
  FROM (SELECT * FROM up ORDER BY nth DESC) oldest_first
$f$;

-- Adds to the owner's journal. Called last: turns of one owner wait for each other from here to their commit.
CREATE FUNCTION catgpt.note_v1(p_owner text, p_sessions text[], p_turns uuid[], p_kinds smallint[], p_now bigint)
RETURNS void LANGUAGE plpgsql AS $f$
DECLARE v_last bigint;
BEGIN
  INSERT INTO catgpt.journal AS j(owner, n) VALUES (p_owner, cardinality(p_kinds))
    ON CONFLICT (owner) DO UPDATE SET n = j.n + excluded.n RETURNING j.n INTO v_last;
  INSERT INTO catgpt.change(owner, n, session, turn, kind, at)
    SELECT p_owner, v_last - cardinality(p_kinds) + k, p_sessions[k], p_turns[k], p_kinds[k], p_now
    FROM generate_series(1, cardinality(p_kinds)) k;
END $f$;

-- p_place: 0 after the head, 1 under p_parent, 2 beside p_parent or the head.
CREATE FUNCTION catgpt.begin_turn_v1(p_owner text, p_id text, p_turn uuid, p_key text, p_hash bytea, p_place smallint,
  p_parent bigint, p_if_version bigint, p_message bytea, p_title bytea, p_model text, p_pin bytea, p_replace boolean,
  p_lease bigint, p_messages bigint, p_bytes bigint)
RETURNS catgpt.answer_v1 LANGUAGE plpgsql AS $f$
DECLARE
  a catgpt.answer_v1;
  s catgpt.session;
  k record;
  v_now bigint;
  v_parent bigint;
  v_fresh boolean := true;
BEGIN
  LOOP
    SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = p_id FOR UPDATE;
    v_now := catgpt.now_v1();

    SELECT x.owner, x.id, m.seq, m.parent, m.status, m.created_at INTO k
      FROM catgpt.message m JOIN catgpt.session x ON x.sid = m.sid WHERE m.turn = p_turn AND m.role = 2;
    IF FOUND THEN
      a.outcome := CASE WHEN k.owner <> p_owner THEN 'foreign' WHEN k.id <> p_id THEN 'elsewhere'
        WHEN k.status <> 0 THEN 'replay' ELSE 'started' END;
      a.other := p_turn;
      IF a.outcome <> 'started' THEN RETURN a; END IF;
      -- Made between the two looks: now it can be locked.
      CONTINUE WHEN s.sid IS NULL;
      -- The same begin again: its lease begins anew, and it answers what it answered.
      UPDATE catgpt.session x SET run_until = v_now + p_lease WHERE x.sid = s.sid RETURNING x.* INTO s;
      v_parent := k.parent;
      a.asked := CASE WHEN p_message IS NULL THEN NULL ELSE k.parent END;
      a.reply := k.seq;
      a.made := coalesce(a.asked, a.reply) = 1 AND s.created_at = k.created_at;
      v_fresh := false;
      EXIT;
    END IF;

    IF p_key IS NOT NULL THEN
      SELECT x.turn, x.hash INTO k FROM catgpt.idem x
        WHERE x.owner = p_owner AND x.session = p_id AND x.key = p_key AND x.at > v_now - 86400000;
      IF FOUND THEN
        a.outcome := CASE WHEN k.hash = p_hash THEN 'replay' ELSE 'key_used' END;
        a.other := k.turn;
        RETURN a;
      END IF;
    END IF;
    IF p_if_version <> coalesce(s.version, 0) THEN
      a.outcome := 'changed';
      a.number := coalesce(s.version, 0);
      RETURN a;
    END IF;
    IF s.run IS NOT NULL THEN
      a.outcome := CASE WHEN s.run_until > v_now THEN 'busy' ELSE 'stale' END;
      a.other := s.run;
      a.number := s.run_until - v_now;
      RETURN a;
    END IF;

    IF p_place = 0 THEN
      v_parent := s.head;
    ELSE
      a.number := coalesce(p_parent, s.head);
      SELECT CASE WHEN p_place = 1 THEN m.seq ELSE m.parent END INTO v_parent
        FROM catgpt.message m WHERE m.sid = s.sid AND m.seq = a.number;
      IF NOT FOUND THEN a.outcome := 'no_message'; RETURN a; END IF;
    END IF;
    IF p_message IS NULL AND NOT EXISTS (
      SELECT FROM catgpt.message m WHERE m.sid = s.sid AND m.seq = v_parent AND m.role = 1)
    THEN
      a.outcome := 'not_asked';
      RETURN a;
    END IF;

    a.made := s.sid IS NULL;
    IF a.made THEN
      INSERT INTO catgpt.session(owner, id, title, created_at, updated_at)
        VALUES (p_owner, p_id, p_title, v_now, v_now) ON CONFLICT (owner, id) DO NOTHING RETURNING * INTO s;
      -- Somebody else made it meanwhile: decide again.
      CONTINUE WHEN s.sid IS NULL;
    END IF;
    EXIT;
  END LOOP;

  IF v_fresh THEN
    a.outcome := 'started';
    IF p_message IS NOT NULL THEN
      a.asked := s.last_seq + 1;
      INSERT INTO catgpt.message(sid, seq, parent, turn, role, status, created_at, body)
        VALUES (s.sid, a.asked, v_parent, p_turn, 1, 1, v_now, p_message);
      v_parent := a.asked;
    END IF;
    a.reply := coalesce(a.asked, s.last_seq) + 1;
    INSERT INTO catgpt.message(sid, seq, parent, turn, role, status, created_at, model, body)
      VALUES (s.sid, a.reply, v_parent, p_turn, 2, 0, v_now, p_model, '');
    UPDATE catgpt.session x SET head = a.reply, last_seq = a.reply, version = x.version + 1, run = p_turn,
      run_seq = a.reply, run_until = v_now + p_lease, run_cancel = false, updated_at = v_now,
      pin = CASE WHEN p_replace OR x.pin IS NULL THEN p_pin ELSE x.pin END
      WHERE x.sid = s.sid RETURNING x.* INTO s;
    IF p_key IS NOT NULL THEN
      INSERT INTO catgpt.idem(owner, session, key, hash, turn, at) VALUES (p_owner, p_id, p_key, p_hash, p_turn, v_now)
        ON CONFLICT (owner, session, key) DO UPDATE SET hash = excluded.hash, turn = excluded.turn, at = excluded.at;
    END IF;
  END IF;
  a := catgpt.session_v1(a, s);
  SELECT * INTO a.m_seq, a.m_parent, a.m_turn, a.m_role, a.m_status, a.m_body, a.m_model, a.m_usage, a.m_created, a.more
    FROM catgpt.branch_v1(s.sid, v_parent, p_messages, p_bytes);
  IF v_fresh AND a.made THEN
    PERFORM catgpt.note_v1(p_owner, ARRAY[p_id, p_id], ARRAY[NULL, p_turn], '{0,4}', v_now);
  ELSIF v_fresh THEN
    PERFORM catgpt.note_v1(p_owner, ARRAY[p_id], ARRAY[p_turn], '{4}', v_now);
  END IF;
  RETURN a;
END $f$;

-- Answers whether to stop; null if the turn does not run.
CREATE FUNCTION catgpt.checkpoint_v1(p_owner text, p_turn uuid, p_from bigint, p_to bigint, p_body bytea,
  p_lease bigint, p_sync boolean)
RETURNS boolean LANGUAGE plpgsql AS $f$
DECLARE
  s record;
  v_end bigint;
BEGIN
  IF NOT p_sync THEN
    -- It may be lost with the machine, not with the process.
    PERFORM set_config('synchronous_commit', 'off', true);
  END IF;
  UPDATE catgpt.session x SET run_until = catgpt.now_v1() + p_lease WHERE x.run = p_turn AND x.owner = p_owner
    RETURNING x.sid, x.run_seq, x.run_cancel INTO s;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF length(p_body) > 0 THEN
    SELECT c.stop INTO v_end FROM catgpt.chunk c WHERE c.sid = s.sid AND c.seq = s.run_seq ORDER BY c.start DESC LIMIT 1;
    v_end := coalesce(v_end, 0);
    IF p_from = v_end THEN
      INSERT INTO catgpt.chunk(sid, seq, start, stop, body) VALUES (s.sid, s.run_seq, p_from, p_to, p_body);
    ELSIF p_from > v_end OR p_to > v_end THEN
      RAISE EXCEPTION 'gap' USING ERRCODE = 'CG001', DETAIL = v_end;
    END IF;
  END IF;
  RETURN s.run_cancel;
END $f$;

CREATE FUNCTION catgpt.finish_turn_v1(p_owner text, p_turn uuid, p_status smallint, p_body bytea, p_usage text,
  p_if_expired boolean)
RETURNS catgpt.answer_v1 LANGUAGE plpgsql AS $f$
DECLARE
  a catgpt.answer_v1;
  s record;
  m record;
  v_now bigint;
BEGIN
  LOOP
    SELECT x.sid, x.id, x.run_seq, x.run_until INTO s FROM catgpt.session x
      WHERE x.run = p_turn AND x.owner = p_owner FOR UPDATE;
    EXIT WHEN FOUND;
    SELECT y.* INTO m FROM catgpt.message y JOIN catgpt.session x ON x.sid = y.sid
      WHERE y.turn = p_turn AND y.role = 2 AND x.owner = p_owner;
    IF NOT FOUND THEN a.outcome := 'no_turn'; RETURN a; END IF;
    -- Between the two looks it may have begun.
    CONTINUE WHEN m.status = 0;
    a.outcome := 'before';
    a.m_seq := ARRAY[m.seq]; a.m_parent := ARRAY[m.parent]; a.m_turn := ARRAY[m.turn]; a.m_role := ARRAY[m.role];
    a.m_status := ARRAY[m.status]; a.m_body := ARRAY[m.body]; a.m_model := ARRAY[m.model];
    a.m_usage := ARRAY[m.usage]; a.m_created := ARRAY[m.created_at];
    RETURN a;
  END LOOP;
  v_now := catgpt.now_v1();
  IF p_if_expired AND s.run_until > v_now THEN
    a.outcome := 'alive';
    a.number := s.run_until - v_now;
    RETURN a;
  END IF;
  UPDATE catgpt.message y SET status = p_status, body = p_body, usage = p_usage
    WHERE y.sid = s.sid AND y.seq = s.run_seq;
  DELETE FROM catgpt.chunk c WHERE c.sid = s.sid AND c.seq = s.run_seq;
  UPDATE catgpt.session x SET run = NULL, run_seq = NULL, run_until = NULL, run_cancel = false,
    version = x.version + 1, updated_at = v_now WHERE x.sid = s.sid;
  PERFORM catgpt.note_v1(p_owner, ARRAY[s.id], ARRAY[p_turn], '{5}', v_now);
  a.outcome := 'now';
  RETURN a;
END $f$;
