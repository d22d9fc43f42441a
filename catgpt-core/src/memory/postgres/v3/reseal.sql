-- Schema 3: other bytes that mean the same, and words that are forgotten.

-- Puts bytes in the place of those whose SHA-256 is named; never in that of a reply that runs.
CREATE FUNCTION catgpt.reseal_v3(p_owner text, o jsonb, p_bytes bytea[]) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  s catgpt.session;
  d catgpt.did_v2;
  p record;
  v_some bigint;
BEGIN
  SELECT x.* INTO s FROM catgpt.session x WHERE x.owner = p_owner AND x.id = o ->> 'session' FOR UPDATE;
  IF NOT FOUND THEN PERFORM catgpt.refuse_v1('no_session', o ->> 'session'); END IF;
  IF (o ->> 'if_version')::bigint <> s.version THEN PERFORM catgpt.refuse_v1('changed', s.version::text); END IF;
  d.what := 2;
  d.number := 0;
  FOR p IN SELECT r.part, p_bytes[r.was] AS was, p_bytes[r.bytes] AS bytes
    FROM jsonb_to_recordset(o -> 'parts') r(part text, was int, bytes int) WHERE r.part <> 'message'
  LOOP
    UPDATE catgpt.session x SET
        title = CASE p.part WHEN 'title' THEN p.bytes ELSE x.title END,
        pin = CASE p.part WHEN 'pin' THEN p.bytes ELSE x.pin END,
        meta = CASE p.part WHEN 'meta' THEN p.bytes ELSE x.meta END
      WHERE x.sid = s.sid
        AND sha256(CASE p.part WHEN 'title' THEN x.title WHEN 'pin' THEN x.pin ELSE x.meta END) = p.was;
    GET DIAGNOSTICS v_some = ROW_COUNT;
    d.number := d.number + v_some;
  END LOOP;
  UPDATE catgpt.message m SET body = b.body
    FROM jsonb_to_recordset(o -> 'parts') r(part text, seq bigint, was int, bytes int)
      JOIN unnest(p_bytes) WITH ORDINALITY b(body, nth) ON b.nth = r.bytes
      JOIN unnest(p_bytes) WITH ORDINALITY w(body, nth) ON w.nth = r.was
    WHERE r.part = 'message' AND m.sid = s.sid AND m.seq = r.seq AND m.status <> 0 AND sha256(m.body) = w.body;
  GET DIAGNOSTICS v_some = ROW_COUNT;
  d.number := d.number + v_some;
  RETURN d;
END $f$;

-- Takes the words of some sessions out of the index. What is left of them in the files goes with a vacuum.
CREATE FUNCTION catgpt.unindex_v3(p_owner text, p_limit bigint) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  d catgpt.did_v2;
  v_sids bigint[] := ARRAY(
    SELECT x.sid FROM catgpt.session x JOIN catgpt.indexed i ON i.sid = x.sid WHERE x.owner = p_owner
      ORDER BY x.sid LIMIT p_limit);
BEGIN
  PERFORM FROM catgpt.session x WHERE x.sid = ANY (v_sids) ORDER BY x.sid FOR UPDATE;
  DELETE FROM catgpt.term t WHERE t.sid = ANY (v_sids);
  DELETE FROM catgpt.indexed i WHERE i.sid = ANY (v_sids);
  d.what := 2;
  d.number := cardinality(v_sids);
  RETURN d;
END $f$;
