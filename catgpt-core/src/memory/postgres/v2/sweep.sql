-- Names turns that died; deletes what is due.
CREATE FUNCTION catgpt.sweep_v2(p_limit bigint)
RETURNS TABLE(owners text[], turns uuid[], deleted bigint, more boolean) LANGUAGE plpgsql AS $f$
DECLARE
  v_now bigint := catgpt.now_v1();
  v_old bigint := v_now - 86400000;
  v_rows bigint;
BEGIN
  SELECT t.owners, t.turns, t.deleted, t.more INTO owners, turns, deleted, more FROM catgpt.sweep_v1(p_limit) t;
  deleted := deleted + catgpt.expire_v2(v_now, p_limit);
  DELETE FROM catgpt.counter WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM catgpt.counter x WHERE x.ends <= v_old ORDER BY x.ends LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  deleted := deleted + v_rows;
  more := more OR EXISTS (SELECT FROM catgpt.counter x WHERE x.ends <= v_old) OR EXISTS (
    SELECT FROM catgpt.session x WHERE x.ttl IS NOT NULL AND x.updated_at + x.ttl <= v_now AND x.run IS NULL);
  RETURN NEXT;
END $f$;

-- Deletes sessions whose time to live is over and in which no turn runs. One that somebody holds is left for the next time.
CREATE FUNCTION catgpt.expire_v2(p_now bigint, p_limit bigint) RETURNS bigint LANGUAGE plpgsql AS $f$
DECLARE g record;
BEGIN
  WITH due AS (SELECT x.sid FROM catgpt.session x
      WHERE x.ttl IS NOT NULL AND x.updated_at + x.ttl <= p_now AND x.run IS NULL
      ORDER BY x.updated_at + x.ttl LIMIT p_limit FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM catgpt.session x USING due WHERE x.sid = due.sid RETURNING x.owner, x.id)
    SELECT coalesce(array_agg(owner), '{}') AS owners, array_agg(id) AS ids, array_agg(3::smallint) AS kinds INTO g FROM gone;
  PERFORM catgpt.notes_v2(g.owners, g.ids, g.kinds, p_now);
  RETURN cardinality(g.owners);
END $f$;
