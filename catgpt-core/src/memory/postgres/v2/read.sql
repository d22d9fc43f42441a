-- Reading, as in schema 1, with all that a session is now.

-- Fills in the pieces that end after p_from.
CREATE FUNCTION catgpt.pieces_v2(a catgpt.answer_v2, p_sid bigint, p_seq bigint, p_from bigint)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql STABLE AS $f$
BEGIN
  SELECT array_agg(c.start ORDER BY c.start), array_agg(c.stop ORDER BY c.start), array_agg(c.body ORDER BY c.start)
    INTO a.c_start, a.c_stop, a.c_body
    FROM catgpt.chunk c WHERE c.sid = p_sid AND c.seq = p_seq AND c.stop > p_from;
  RETURN a;
END $f$;

-- The newest messages of a branch (p_head null: the active one) or, by number, those of all branches after p_after, with
-- or without bodies. The length of a body is known without looking at it.
CREATE FUNCTION catgpt.read_v2(p_owner text, p_id text, p_head bigint, p_after bigint, p_messages bigint,
  p_bytes bigint, p_bodies boolean)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql STABLE AS $f$
DECLARE
  a catgpt.answer_v2;
  s catgpt.session;
BEGIN
  SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = p_id;
  IF NOT FOUND THEN a.outcome := 'no_session'; RETURN a; END IF;
  -- A session's messages are numbered without gaps.
  IF p_head = 0 OR p_head > s.last_seq THEN a.outcome := 'no_message'; a.number := p_head; RETURN a; END IF;
  a := catgpt.fill_v2(a, s);
  IF p_after IS NULL THEN
    SELECT * INTO a.m_seq, a.m_parent, a.m_turn, a.m_role, a.m_status, a.m_body, a.m_model, a.m_usage, a.m_created,
      a.more FROM catgpt.branch_v1(s.sid, coalesce(p_head, s.head), p_messages, p_bytes);
  ELSE
    SELECT array_agg(seq), array_agg(parent), array_agg(turn), array_agg(role), array_agg(status),
      array_agg(CASE WHEN p_bodies THEN body ELSE '' END), array_agg(model), array_agg(usage), array_agg(created_at),
      coalesce(max(seq) < s.last_seq, false)
      INTO a.m_seq, a.m_parent, a.m_turn, a.m_role, a.m_status, a.m_body, a.m_model, a.m_usage, a.m_created, a.more
      FROM (SELECT m.*, row_number() OVER (ORDER BY m.seq) AS nth, sum(octet_length(m.body)) OVER (ORDER BY m.seq) AS bytes
        FROM catgpt.message m WHERE m.sid = s.sid AND m.seq > p_after ORDER BY m.seq LIMIT greatest(p_messages, 1)) t
      WHERE nth = 1 OR bytes <= p_bytes OR NOT p_bodies;
  END IF;
  IF p_bodies AND s.run_seq = ANY (a.m_seq) THEN
    a := catgpt.pieces_v2(a, s.sid, s.run_seq, 0);
  END IF;
  RETURN a;
END $f$;

-- One reply; while it runs, with the pieces that end after p_from.
CREATE FUNCTION catgpt.tail_v2(p_owner text, p_turn uuid, p_from bigint)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql STABLE AS $f$
DECLARE
  a catgpt.answer_v2;
  m catgpt.message;
  s catgpt.session;
BEGIN
  SELECT y.* INTO m FROM catgpt.message y WHERE y.turn = p_turn AND y.role = 2;
  SELECT x.* INTO s FROM catgpt.session x WHERE x.sid = m.sid AND x.owner = p_owner;
  IF NOT FOUND THEN a.outcome := 'no_turn'; RETURN a; END IF;
  a := catgpt.before_v2(catgpt.fill_v2(a, s), m);
  IF m.status = 0 THEN
    a := catgpt.pieces_v2(a, m.sid, m.seq, p_from);
  END IF;
  RETURN a;
END $f$;
