-- Limits before a turn, the ledger after it. Locks: journal, then counters, then the ledger.

-- Corrects counters, in their order. One whose window is swept is left alone.
CREATE FUNCTION catgpt.settle_v2(p_settle jsonb) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE c record;
BEGIN
  FOR c IN SELECT t.name, t.key, t.start_ms, t."by" AS change
    FROM jsonb_to_recordset(p_settle) AS t(name text, key text, start_ms bigint, "by" bigint)
    ORDER BY t.name COLLATE "C", t.key COLLATE "C", t.start_ms
  LOOP
    UPDATE catgpt.counter x SET value = catgpt.plus_v2(x.value, c.change)
      WHERE x.name = c.name AND x.key = c.key AND x.start = c.start_ms;
  END LOOP;
END $f$;

-- Lets a turn pass its limits and reserves what it asks for (then s_reserved is it), or says `limited` and leaves all
-- counters as they were. Whoever comes here with the same owner or counter waits for those before him to commit.
CREATE FUNCTION catgpt.limit_v2(a catgpt.answer_v2, p_owner text, p_running bigint, p_reserve jsonb)
RETURNS catgpt.answer_v2 LANGUAGE plpgsql AS $f$
DECLARE
  c record;
  v_now bigint;
  v_start bigint;
  v_first bigint;
  v_back jsonb := '[]';
BEGIN
  PERFORM FROM catgpt.journal j WHERE j.owner = p_owner FOR UPDATE;
  IF NOT FOUND THEN PERFORM catgpt.number_v2(p_owner, 0); END IF;
  a.number := NULL;
  v_now := catgpt.now_v1();
  IF p_running <= (SELECT count(*) FROM catgpt.session x
    WHERE x.owner = p_owner AND x.run IS NOT NULL AND x.run_until > v_now)
  THEN
    a.outcome := 'limited';
    RETURN a;
  END IF;
  FOR c IN SELECT t.nth, r.name, r.key, r.window_ms AS length, r.add, r."limit" AS most
    FROM jsonb_array_elements(p_reserve) WITH ORDINALITY t(one, nth),
      jsonb_to_record(t.one) AS r(name text, key text, window_ms bigint, add bigint, "limit" bigint)
    ORDER BY r.name COLLATE "C", r.key COLLATE "C", r.window_ms, t.nth
  LOOP
    v_start := v_now - v_now % c.length;
    INSERT INTO catgpt.counter AS x(name, key, start, ends, value)
      SELECT c.name, c.key, v_start, v_start + c.length, c.add WHERE c.most > 0
      ON CONFLICT (name, key, start) DO UPDATE SET value = catgpt.plus_v2(x.value, excluded.value),
        ends = greatest(x.ends, excluded.ends) WHERE x.value < c.most;
    IF FOUND THEN
      v_back := v_back || jsonb_build_object('name', c.name, 'key', c.key, 'start_ms', v_start, 'by', -c.add);
    ELSIF v_first IS NULL OR c.nth < v_first THEN
      v_first := c.nth;
      a.outcome := 'limited';
      a.name := c.name;
      a.number := v_start + c.length - v_now;
    END IF;
  END LOOP;
  IF a.outcome = 'limited' THEN
    PERFORM catgpt.settle_v2(v_back);
  ELSE
    SELECT jsonb_agg(jsonb_build_object('name', t.one -> 'name', 'key', t.one -> 'key', 'add', t.one -> 'add',
        'unit', t.one -> 'unit', 'start_ms', v_now - v_now % (t.one ->> 'window_ms')::bigint) ORDER BY t.nth)
      INTO a.s_reserved FROM jsonb_array_elements(p_reserve) WITH ORDINALITY t(one, nth);
  END IF;
  RETURN a;
END $f$;

-- Adds a line of this day. p_spent: tokens of prompts, answers, the cache, reasoning; calls that are guessed; cost.
CREATE FUNCTION catgpt.bill_v2(p_owner text, p_session text, p_model text, p_purpose smallint, p_spent bigint[],
  p_now bigint)
RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  INSERT INTO catgpt.ledger AS l(owner, day, session, model, purpose, calls, input, output, cached, reasoning,
      estimated, cost)
    VALUES (p_owner, p_now - p_now % 86400000, p_session, p_model, p_purpose, 1, p_spent[1], p_spent[2], p_spent[3],
      p_spent[4], p_spent[5], p_spent[6])
    ON CONFLICT (owner, day, session, model, purpose) DO UPDATE SET calls = l.calls + 1,
      input = catgpt.plus_v2(l.input, excluded.input), output = catgpt.plus_v2(l.output, excluded.output),
      cached = catgpt.plus_v2(l.cached, excluded.cached), reasoning = catgpt.plus_v2(l.reasoning, excluded.reasoning),
      estimated = l.estimated + excluded.estimated, cost = catgpt.plus_v2(l.cost, excluded.cost);
END $f$;
