-- Reserves what is used beside the turns, or refuses. Its number is when the latest of the counters' windows began: a time
-- in each of them.
CREATE FUNCTION catgpt.reserve_v3(p_owner text, p_counters jsonb) RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
DECLARE
  a catgpt.answer_v2;
  d catgpt.did_v2;
BEGIN
  a := catgpt.limit_v2(a, p_owner, NULL, p_counters);
  IF a.outcome = 'limited' THEN
    PERFORM catgpt.refuse_v1('limited', jsonb_build_array(jsonb_build_object('name', a.name, 'unit', c -> 'unit',
        'max', c -> 'limit'), a.number)::text)
      FROM jsonb_array_elements(p_counters) c WHERE c ->> 'name' = a.name LIMIT 1;
  END IF;
  d.what := 2;
  SELECT coalesce(max((r ->> 'start_ms')::bigint), 0) INTO d.number FROM jsonb_array_elements(a.s_reserved::jsonb) r;
  RETURN d;
END $f$;

-- What schema 2 calls for one operation learns those of schema 3; everything around it stays as it is.
ALTER FUNCTION catgpt.do_v2(text, jsonb, bytea[], bigint) RENAME TO do_first_v2;

CREATE FUNCTION catgpt.do_v2(p_owner text, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
BEGIN
  CASE o ->> 'kind'
  WHEN 'append' THEN RETURN catgpt.append_v3(p_owner, o, p_bytes, p_now);
  WHEN 'reseal' THEN RETURN catgpt.reseal_v3(p_owner, o, p_bytes);
  WHEN 'unindex' THEN RETURN catgpt.unindex_v3(p_owner, (o ->> 'limit')::bigint);
  WHEN 'reserve' THEN RETURN catgpt.reserve_v3(p_owner, o -> 'counters');
  WHEN 'settle' THEN
    -- The journal first, as everywhere.
    PERFORM FROM catgpt.journal j WHERE j.owner = p_owner FOR UPDATE;
    PERFORM catgpt.settle_v2(o -> 'settle');
    RETURN NULL;
  ELSE RETURN catgpt.do_first_v2(p_owner, o, p_bytes, p_now);
  END CASE;
END $f$;
