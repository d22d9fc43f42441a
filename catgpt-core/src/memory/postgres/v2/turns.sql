-- The steps of a turn that differ from schema 1: how it begins and how it ends. A checkpoint is still `checkpoint_v1`.
--
-- Locks are taken in one order everywhere: operation, sessions by their sid, journals by owner, counters, ledger.

-- Fills in the session.
CREATE FUNCTION catgpt.fill_v2(a catgpt.answer_v2, s catgpt.session) RETURNS catgpt.answer_v2
LANGUAGE plpgsql AS $f$
BEGIN
  a.s_id := s.id; a.s_title := s.title; a.s_pin := s.pin; a.s_meta := s.meta; a.s_pinned := s.pinned;
  a.s_archived := s.archived; a.s_ttl := s.ttl; a.s_head := s.head; a.s_summary := s.summary; a.s_version := s.version;
  a.s_messages := s.last_seq; a.s_running := s.run;
  a.s_expired := s.run IS NOT NULL AND s.run_until <= catgpt.now_v1();
  a.s_reserved := NULL;
  IF s.run IS NOT NULL THEN
    SELECT m.reserved INTO a.s_reserved FROM catgpt.message m WHERE m.sid = s.sid AND m.seq = s.run_seq;
  END IF;
  a.s_created := s.created_at; a.s_updated := s.updated_at;
  RETURN a;
END $f$;

-- Puts a message before those that are there.
CREATE FUNCTION catgpt.before_v2(a catgpt.answer_v2, m catgpt.message) RETURNS catgpt.answer_v2
LANGUAGE plpgsql AS $f$
BEGIN
  a.m_seq := m.seq || a.m_seq; a.m_parent := m.parent || a.m_parent; a.m_turn := m.turn || a.m_turn;
  a.m_role := m.role || a.m_role; a.m_status := m.status || a.m_status; a.m_body := ARRAY[m.body] || a.m_body;
  a.m_model := ARRAY[m.model] || a.m_model; a.m_usage := ARRAY[m.usage] || a.m_usage;
  a.m_created := m.created_at || a.m_created;
  RETURN a;
END $f$;

-- Whether the turn, or else the key, is known; of a turn that runs: its messages, and in `number` what it follows.
CREATE FUNCTION catgpt.known_v2(p_owner text, p_id text, p_turn uuid, p_key text, p_hash bytea, p_asks boolean)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql AS $f$
DECLARE
  a catgpt.answer_v2;
  k record;
BEGIN
  SELECT x.owner, x.id, x.created_at AS made, m.seq, m.parent, m.status, m.created_at INTO k
    FROM catgpt.message m JOIN catgpt.session x ON x.sid = m.sid WHERE m.turn = p_turn AND m.role = 2;
  IF FOUND THEN
    a.outcome := CASE WHEN k.owner <> p_owner THEN 'foreign' WHEN k.id <> p_id THEN 'elsewhere'
      WHEN k.status <> 0 THEN 'replay' ELSE 'started' END;
    a.other := p_turn;
    a.number := k.parent;
    a.asked := CASE WHEN p_asks THEN k.parent END;
    a.reply := k.seq;
    a.made := coalesce(a.asked, a.reply) = 1 AND k.made = k.created_at;
  ELSIF p_key IS NOT NULL THEN
    SELECT x.turn, x.hash INTO k FROM catgpt.idem x
      WHERE x.owner = p_owner AND x.session = p_id AND x.key = p_key AND x.at > catgpt.now_v1() - 86400000;
    IF FOUND THEN
      a.outcome := CASE WHEN k.hash = p_hash THEN 'replay' ELSE 'key_used' END;
      a.other := k.turn;
    END IF;
  END IF;
  RETURN a;
END $f$;

-- Whether a new turn may begin in the session, as far as that is its own affair; then `number` is what it follows.
-- p_place: 0 after the head, 1 under p_parent, 2 beside p_parent or the head.
CREATE FUNCTION catgpt.gate_v2(s catgpt.session, p_place smallint, p_parent bigint, p_if_version bigint,
  p_asks boolean)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql AS $f$
DECLARE
  a catgpt.answer_v2;
  m record;
BEGIN
  IF p_if_version <> coalesce(s.version, 0) THEN
    a.outcome := 'changed';
    a.number := coalesce(s.version, 0);
    RETURN a;
  END IF;
  IF s.run IS NOT NULL THEN
    a.number := s.run_until - catgpt.now_v1();
    a.outcome := CASE WHEN a.number > 0 THEN 'busy' ELSE 'stale' END;
    a.other := s.run;
    RETURN a;
  END IF;
  a.number := s.head;
  IF p_place > 0 THEN
    a.number := coalesce(p_parent, s.head);
    SELECT x.seq, x.parent INTO m FROM catgpt.message x WHERE x.sid = s.sid AND x.seq = a.number;
    IF NOT FOUND THEN a.outcome := 'no_message'; RETURN a; END IF;
    a.number := CASE p_place WHEN 1 THEN m.seq ELSE m.parent END;
  END IF;
  IF NOT p_asks THEN
    -- A user's message is answered again. A reply is gone on from, but not by who is beside it.
    PERFORM FROM catgpt.message x WHERE x.sid = s.sid AND x.seq = a.number AND (x.role = 1 OR x.role = 2 AND p_place < 2);
    IF NOT FOUND THEN a.outcome := 'not_asked'; END IF;
  END IF;
  RETURN a;
END $f$;

CREATE FUNCTION catgpt.begin_turn_v2(p_owner text, p_id text, p_turn uuid, p_key text, p_hash bytea, p_place smallint,
  p_parent bigint, p_if_version bigint, p_message bytea, p_title bytea, p_model text, p_pin bytea, p_replace boolean,
  p_lease bigint, p_messages bigint, p_bytes bigint, p_ttl bigint, p_reserve jsonb, p_running bigint)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql AS $f$
DECLARE
  a catgpt.answer_v2;
  s catgpt.session;
  m catgpt.message;
  v_now bigint;
  v_parent bigint;
BEGIN
  LOOP
    SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = p_id FOR UPDATE;
    v_now := catgpt.now_v1();
    a := catgpt.known_v2(p_owner, p_id, p_turn, p_key, p_hash, p_message IS NOT NULL);
    -- Made between the two looks: now it can be locked.
    CONTINUE WHEN a.outcome = 'started' AND s.sid IS NULL;
    EXIT WHEN a.outcome = 'started';
    IF a.outcome IS NULL THEN
      a := catgpt.gate_v2(s, p_place, p_parent, p_if_version, p_message IS NOT NULL);
    END IF;
    IF a.outcome IS NOT NULL THEN RETURN a; END IF;
    a.made := s.sid IS NULL;
    EXIT WHEN NOT a.made;
    INSERT INTO catgpt.session(owner, id, ttl, created_at, updated_at)
      VALUES (p_owner, p_id, p_ttl, v_now, v_now) ON CONFLICT (owner, id) DO NOTHING RETURNING * INTO s;
    -- Somebody else made it meanwhile: decide again.
    EXIT WHEN s.sid IS NOT NULL;
  END LOOP;
  v_parent := a.number;

  IF a.outcome = 'started' THEN
    -- The same begin again: its lease begins anew, and it answers what it answered.
    UPDATE catgpt.session x SET run_until = v_now + p_lease WHERE x.sid = s.sid RETURNING x.* INTO s;
  ELSE
    IF p_running IS NOT NULL OR p_reserve IS NOT NULL THEN
      a := catgpt.limit_v2(a, p_owner, p_running, p_reserve);
      IF a.outcome = 'limited' THEN
        DELETE FROM catgpt.session x WHERE a.made AND x.sid = s.sid;
        RETURN a;
      END IF;
    END IF;
    IF p_message IS NOT NULL THEN
      a.asked := s.last_seq + 1;
      INSERT INTO catgpt.message(sid, seq, parent, turn, role, status, created_at, body)
        VALUES (s.sid, a.asked, v_parent, p_turn, 1, 1, v_now, p_message);
      v_parent := a.asked;
    END IF;
    a.reply := coalesce(a.asked, s.last_seq) + 1;
    INSERT INTO catgpt.message(sid, seq, parent, turn, role, status, created_at, model, body, reserved)
      VALUES (s.sid, a.reply, v_parent, p_turn, 2, 0, v_now, p_model, '', a.s_reserved);
    UPDATE catgpt.session x SET head = a.reply, last_seq = a.reply, version = x.version + 1, run = p_turn,
      run_seq = a.reply, run_until = v_now + p_lease, run_cancel = false, updated_at = v_now,
      pin = CASE WHEN p_replace OR x.pin IS NULL THEN p_pin ELSE x.pin END,
      title = coalesce(x.title, CASE x.last_seq WHEN 0 THEN p_title END)
      WHERE x.sid = s.sid RETURNING x.* INTO s;
    IF p_key IS NOT NULL THEN
      INSERT INTO catgpt.idem(owner, session, key, hash, turn, at) VALUES (p_owner, p_id, p_key, p_hash, p_turn, v_now)
        ON CONFLICT (owner, session, key) DO UPDATE SET hash = excluded.hash, turn = excluded.turn, at = excluded.at;
    END IF;
  END IF;

  a := catgpt.fill_v2(a, s);
  SELECT * INTO a.m_seq, a.m_parent, a.m_turn, a.m_role, a.m_status, a.m_body, a.m_model, a.m_usage, a.m_created, a.more
    FROM catgpt.branch_v1(s.sid, v_parent, p_messages, p_bytes);
  IF s.summary IS NOT NULL THEN
    SELECT x.* INTO m FROM catgpt.message x WHERE x.sid = s.sid AND x.seq = s.summary;
    a := catgpt.before_v2(a, m);
    a.summed := true;
  END IF;
  IF a.outcome IS NULL AND a.made THEN
    PERFORM catgpt.note_v2(p_owner, ARRAY[p_id, p_id], ARRAY[NULL, p_turn], '{0,4}', v_now);
  ELSIF a.outcome IS NULL THEN
    PERFORM catgpt.note_v2(p_owner, ARRAY[p_id], ARRAY[p_turn], '{4}', v_now);
  END IF;
  a.outcome := 'started';
  RETURN a;
END $f$;

-- p_spent: as `bill_v2` has it.
CREATE FUNCTION catgpt.finish_turn_v2(p_owner text, p_turn uuid, p_status smallint, p_body bytea, p_usage text,
  p_if_expired boolean, p_spent bigint[], p_settle jsonb)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql AS $f$
DECLARE
  a catgpt.answer_v2;
  s record;
  m catgpt.message;
  v_now bigint;
  v_model text;
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
    a := catgpt.before_v2(a, m);
    a.outcome := 'before';
    RETURN a;
  END LOOP;
  v_now := catgpt.now_v1();
  IF p_if_expired AND s.run_until > v_now THEN
    a.outcome := 'alive';
    a.number := s.run_until - v_now;
    RETURN a;
  END IF;
  UPDATE catgpt.message y SET status = p_status, body = p_body, usage = p_usage, reserved = NULL
    WHERE y.sid = s.sid AND y.seq = s.run_seq RETURNING y.model INTO v_model;
  DELETE FROM catgpt.chunk c WHERE c.sid = s.sid AND c.seq = s.run_seq;
  UPDATE catgpt.session x SET run = NULL, run_seq = NULL, run_until = NULL, run_cancel = false,
    version = x.version + 1, updated_at = v_now WHERE x.sid = s.sid;
  PERFORM catgpt.note_v2(p_owner, ARRAY[s.id], ARRAY[p_turn], '{5}', v_now);
  IF p_settle IS NOT NULL THEN PERFORM catgpt.settle_v2(p_settle); END IF;
  PERFORM catgpt.bill_v2(p_owner, s.id, coalesce(v_model, ''), 0::smallint, p_spent, v_now);
  a.outcome := 'now';
  RETURN a;
END $f$;
