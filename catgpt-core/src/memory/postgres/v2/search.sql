-- Search. Words are exact and bear their owner: a search looks at nothing of anybody else, also where it looks for the
-- beginning of a word.

-- What an owner's words begin with: 8 characters. Two owners may have the same, so it does not decide.
CREATE FUNCTION catgpt.mark_v2(p_owner text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
  SELECT left(encode(sha256(convert_to(p_owner, 'UTF8')), 'base64'), 8)
$f$;

-- A word as it is kept. What is longer than any word is known by its beginning.
CREATE FUNCTION catgpt.word_v2(p_mark text, p_term text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
  SELECT p_mark || left(p_term, 256)
$f$;

CREATE FUNCTION catgpt.words_v2(p_owner text, p_terms text[]) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $f$
  SELECT array_to_tsvector(ARRAY(
    SELECT catgpt.word_v2(m.mark, t) FROM catgpt.mark_v2(p_owner) m(mark), unnest(p_terms) t))
$f$;

-- All of p_terms; the last may be the beginning of a word.
CREATE FUNCTION catgpt.sought_v2(p_owner text, p_terms text[], p_prefix boolean) RETURNS tsquery
LANGUAGE sql IMMUTABLE AS $f$
  SELECT string_agg('''' || replace(replace(catgpt.word_v2(m.mark, t.term), '\', '\\'), '''', '''''') || ''''
      || CASE WHEN p_prefix AND t.nth = cardinality(p_terms) THEN ':*' ELSE '' END, ' & ')::tsquery
    FROM catgpt.mark_v2(p_owner) m(mark), unnest(p_terms) WITH ORDINALITY t(term, nth)
$f$;

-- Makes messages findable, and the title if it still is what it was.
CREATE FUNCTION catgpt.index_v2(s catgpt.session, o jsonb, p_bytes bytea[]) RETURNS catgpt.did_v2
LANGUAGE plpgsql AS $f$
DECLARE
  d catgpt.did_v2;
  t jsonb := o -> 'title';
BEGIN
  IF (o ->> 'upto')::bigint > s.last_seq THEN PERFORM catgpt.refuse_v1('no_message', o ->> 'upto'); END IF;
  INSERT INTO catgpt.indexed(sid, upto) VALUES (s.sid, 0) ON CONFLICT (sid) DO NOTHING;
  UPDATE catgpt.indexed x SET upto = (o ->> 'upto')::bigint WHERE x.sid = s.sid AND x.upto = (o ->> 'from')::bigint;
  IF NOT FOUND THEN RETURN d; END IF;
  INSERT INTO catgpt.term(sid, seq, owner, at, words)
    SELECT s.sid, m.seq, s.owner, m.created_at, catgpt.words_v2(s.owner, ARRAY(SELECT jsonb_array_elements_text(w.terms)))
    FROM jsonb_to_recordset(o -> 'messages') w(seq bigint, terms jsonb)
      JOIN catgpt.message m ON m.sid = s.sid AND m.seq = w.seq;
  IF t ? 'of' AND s.title IS NOT DISTINCT FROM p_bytes[(t ->> 'of')::int] THEN
    UPDATE catgpt.indexed x SET title = s.title WHERE x.sid = s.sid;
    INSERT INTO catgpt.term(sid, seq, owner, at, words)
      VALUES (s.sid, 0, s.owner, s.created_at, catgpt.words_v2(s.owner, ARRAY(SELECT jsonb_array_elements_text(t -> 'terms'))))
      ON CONFLICT (sid, seq) DO UPDATE SET words = excluded.words, at = excluded.at;
  END IF;
  d.what := 1;
  d.number := s.version;
  RETURN d;
END $f$;
