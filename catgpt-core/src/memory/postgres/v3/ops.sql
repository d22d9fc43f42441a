-- What schema 2 calls for one operation learns those of schema 3; everything around it stays as it is.
ALTER FUNCTION catgpt.do_v2(text, jsonb, bytea[], bigint) RENAME TO do_first_v2;

CREATE FUNCTION catgpt.do_v2(p_owner text, o jsonb, p_bytes bytea[], p_now bigint)
RETURNS catgpt.did_v2 LANGUAGE plpgsql AS $f$
BEGIN
  CASE o ->> 'kind'
  WHEN 'append' THEN RETURN catgpt.append_v3(p_owner, o, p_bytes, p_now);
  WHEN 'reseal' THEN RETURN catgpt.reseal_v3(p_owner, o, p_bytes);
  WHEN 'unindex' THEN RETURN catgpt.unindex_v3(p_owner, (o ->> 'limit')::bigint);
  ELSE RETURN catgpt.do_first_v2(p_owner, o, p_bytes, p_now);
  END CASE;
END $f$;
