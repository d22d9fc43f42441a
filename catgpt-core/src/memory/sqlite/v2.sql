-- Schema 2: sessions that are pinned, put away, described, summed up and due; search; the ledger; counters.
ALTER TABLE session ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0; -- the last message that search finds
ALTER TABLE session ADD COLUMN retitled INTEGER NOT NULL DEFAULT 0; -- whether it has a title that search does not find
ALTER TABLE session ADD COLUMN ttl INTEGER;
ALTER TABLE session ADD COLUMN summary INTEGER;
ALTER TABLE session ADD COLUMN reserved TEXT; -- by the running turn, as JSON
ALTER TABLE session ADD COLUMN meta BLOB;
UPDATE session SET retitled = 1 WHERE title IS NOT NULL;

DROP INDEX session_list;
CREATE INDEX session_list ON session(owner, archived, pinned, updated_at);
-- The sessions in which a turn runs, and those that are to be indexed. A turn enters it and moves in it, as it did with
-- the index of running turns alone, so that both cost what one did.
DROP INDEX session_run;
CREATE INDEX session_work ON session((run IS NULL), owner)
  WHERE run IS NOT NULL OR (indexed < last_seq OR retitled = 1);
CREATE INDEX session_ttl ON session((updated_at + ttl)) WHERE ttl IS NOT NULL;

-- What was used. It outlives sessions, so it names them as the caller does.
CREATE TABLE ledger(
  owner TEXT NOT NULL,
  day INTEGER NOT NULL, -- when it began
  session TEXT NOT NULL,
  model TEXT NOT NULL,
  purpose INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  input INTEGER NOT NULL,
  output INTEGER NOT NULL,
  cached INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY(owner, day, session, model, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter(
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  start INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY(name, key, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX counter_ends ON counter(ends); -- written once a window

-- Search. The index of words has no text and no owners: each word of an owner begins with a number of the owner's, so
-- that a search walks nobody else's, and who takes over another's sessions takes over the number.
CREATE TABLE finder(
  fid INTEGER PRIMARY KEY,
  owner TEXT NOT NULL
) STRICT;
CREATE INDEX finder_owner ON finder(owner);
CREATE TABLE doc(
  doc INTEGER PRIMARY KEY, -- ascends with the time of the message, so that the newest come first without a sort
  sid INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
  seq INTEGER NOT NULL, -- 0 for the title
  UNIQUE(sid, seq)
) STRICT;
CREATE VIRTUAL TABLE search USING fts5(terms, content = '', contentless_delete = 1, detail = none,
  tokenize = "ascii tokenchars '_.'");
CREATE TRIGGER doc_gone AFTER DELETE ON doc BEGIN
  DELETE FROM search WHERE rowid = old.doc;
END;
