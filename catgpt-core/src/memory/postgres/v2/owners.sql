-- Operations on many sessions, and on all that an owner has.

-- Deletes those of these sessions that are there. Chunks, messages and terms go with them, keys and the ledger do not.
CREATE FUNCTION catgpt.delete_v2(p_owner text, p_sessions text[]) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE d catgpt.did_v2;
BEGIN
  PERFORM FROM catgpt.session x WHERE x.owner = p_owner AND x.id = ANY (p_sessions) ORDER BY x.sid FOR UPDATE;
  WITH gone AS (DELETE FROM catgpt.session x WHERE x.owner = p_owner AND x.id = ANY (p_sessions) RETURNING x.sid, x.id)
    SELECT 2, count(*), coalesce(array_agg(id ORDER BY sid), '{}'), coalesce(array_agg(3::smallint), '{}')
    INTO d.what, d.number, d.sessions, d.kinds FROM gone;
  RETURN d;
END $f$;

-- Deletes sessions in which nothing was ever said.
CREATE FUNCTION catgpt.delete_empty_v2(p_owner text, p_limit bigint) RETURNS catgpt.did_v2 LANGUAGE sql AS $f$
  SELECT catgpt.delete_v2(p_owner, ARRAY(
    SELECT x.id FROM (
      SELECT y.id, y.sid FROM catgpt.session y WHERE y.owner = p_owner AND y.last_seq = 0 ORDER BY y.sid LIMIT p_limit
    ) e JOIN catgpt.session x ON x.sid = e.sid WHERE x.last_seq = 0 ORDER BY x.sid FOR UPDATE OF x))
$f$;

-- Deletes sessions; once none is left, all that bears the owner's name.
CREATE FUNCTION catgpt.erase_v2(p_owner text, p_limit bigint) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE d catgpt.did_v2;
BEGIN
  d := catgpt.delete_v2(p_owner, ARRAY(
    SELECT x.id FROM catgpt.session x WHERE x.owner = p_owner ORDER BY x.sid LIMIT p_limit));
  IF d.number > 0 OR EXISTS (SELECT FROM catgpt.session x WHERE x.owner = p_owner) THEN RETURN d; END IF;
  DELETE FROM catgpt.idem x WHERE x.owner = p_owner;
  DELETE FROM catgpt.op x WHERE x.owner = p_owner;
  -- How far journals went that are gone: see number_v2.
  INSERT INTO catgpt.journal AS j(owner, n) SELECT '', x.n FROM catgpt.journal x WHERE x.owner = p_owner
    ON CONFLICT (owner) DO UPDATE SET n = greatest(j.n, excluded.n);
  DELETE FROM catgpt.journal x WHERE x.owner = p_owner;
  DELETE FROM catgpt.change x WHERE x.owner = p_owner;
  DELETE FROM catgpt.counter x WHERE x.key = p_owner;
  DELETE FROM catgpt.ledger x WHERE x.owner = p_owner;
  RETURN d;
END $f$;

-- Takes over all that another owner has.
CREATE FUNCTION catgpt.claim_v2(p_owner text, p_from text) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  d catgpt.did_v2;
  v_sids bigint[];
  v_ids text[];
  v_both text;
  v_run uuid;
BEGIN
  d.what := 2;
  d.number := 0;
  IF p_owner = p_from THEN RETURN d; END IF;
  SELECT array_agg(x.sid), array_agg(x.id ORDER BY x.sid), (array_agg(x.run) FILTER (WHERE x.run IS NOT NULL))[1]
    INTO v_sids, v_ids, v_run
    FROM (SELECT y.* FROM catgpt.session y WHERE y.owner = p_from ORDER BY y.sid FOR UPDATE) x;
  SELECT to_jsonb(array_agg(t.id ORDER BY t.id))::text INTO v_both FROM (
    SELECT x.id FROM catgpt.session x WHERE x.owner = p_owner AND x.id = ANY (v_ids) ORDER BY x.id LIMIT 100) t;
  IF v_both IS NOT NULL THEN PERFORM catgpt.refuse_v1('both', v_both); END IF;
  IF v_run IS NOT NULL THEN PERFORM catgpt.refuse_v1('busy', v_run::text); END IF;
  UPDATE catgpt.session x SET owner = p_owner WHERE x.sid = ANY (v_sids);
  UPDATE catgpt.term x SET owner = p_owner, words = catgpt.words_v2(p_owner, ARRAY(
    SELECT substr(w, 9) FROM unnest(tsvector_to_array(x.words)) w)) WHERE x.sid = ANY (v_sids);
  -- Where both know a key, the one that comes along counts.
  DELETE FROM catgpt.idem x USING catgpt.idem y
    WHERE x.owner = p_owner AND y.owner = p_from AND x.session = y.session AND x.key = y.key AND y.session = ANY (v_ids);
  UPDATE catgpt.idem x SET owner = p_owner WHERE x.owner = p_from AND x.session = ANY (v_ids);
  IF v_ids IS NOT NULL THEN
    d.number := cardinality(v_ids);
    d.sessions := v_ids || v_ids;
    d.owners := array_fill(p_from, ARRAY[cardinality(v_ids)]) || array_fill(p_owner, ARRAY[cardinality(v_ids)]);
    d.kinds := array_fill(3::smallint, ARRAY[cardinality(v_ids)]) || array_fill(0::smallint, ARRAY[cardinality(v_ids)]);
  END IF;
  RETURN d;
END $f$;

-- Adds one owner's ledger to another's.
CREATE FUNCTION catgpt.merge_v2(p_owner text, p_from text) RETURNS void LANGUAGE sql AS $f$
  WITH gone AS (DELETE FROM catgpt.ledger x WHERE x.owner = p_from AND p_from <> p_owner RETURNING x.*)
  INSERT INTO catgpt.ledger AS l SELECT p_owner, g.day, g.session, g.model, g.purpose, g.calls, g.input, g.output,
      g.cached, g.reasoning, g.estimated, g.cost FROM gone g ORDER BY g.day, g.session, g.model, g.purpose
    ON CONFLICT (owner, day, session, model, purpose) DO UPDATE SET calls = catgpt.plus_v2(l.calls, excluded.calls),
      input = catgpt.plus_v2(l.input, excluded.input), output = catgpt.plus_v2(l.output, excluded.output),
      cached = catgpt.plus_v2(l.cached, excluded.cached), reasoning = catgpt.plus_v2(l.reasoning, excluded.reasoning),
      estimated = catgpt.plus_v2(l.estimated, excluded.estimated), cost = catgpt.plus_v2(l.cost, excluded.cost)
$f$;
