-- A store as schema 1 held it. Never changed. The times are those of the test, since keys are kept for a day only.
INSERT INTO session(sid, owner, id, head, last_seq, version, run, run_until, created_at, updated_at, title, pin) VALUES
  (1, 'ann', 'trip', 4, 4, 6, NULL, NULL, 1000, 3000, CAST('Kyoto' AS BLOB), CAST('persona' AS BLOB)),
  (2, 'ann', 'now', 2, 2, 2, unhex('01900000000070008000000000000002'), 9999999999999, 2000, 4000, NULL, NULL),
  (3, 'ann', 'empty', NULL, 0, 1, NULL, NULL, 2500, 2500, NULL, NULL),
  (4, 'bob', 'trip', 2, 2, 3, NULL, NULL, 1500, 1500, NULL, NULL);
INSERT INTO message(sid, seq, parent, turn, role, status, created_at, model, usage, body) VALUES
  (1, 1, NULL, unhex('01900000000070008000000000000001'), 1, 1, 1000, NULL, NULL, CAST('three days' AS BLOB)),
  (1, 2, 1, unhex('01900000000070008000000000000001'), 2, 1, 1000, 'tabby', '{"input_tokens":3,"output_tokens":5}', CAST('temples' AS BLOB)),
  (1, 3, NULL, unhex('01900000000070008000000000000003'), 1, 1, 1200, NULL, NULL, CAST('four days' AS BLOB)),
  (1, 4, 3, unhex('01900000000070008000000000000003'), 2, 3, 1200, 'tabby', NULL, CAST('more temp' AS BLOB)),
  (2, 1, NULL, unhex('01900000000070008000000000000002'), 1, 1, 4000, NULL, NULL, CAST('hello' AS BLOB)),
  (2, 2, 1, unhex('01900000000070008000000000000002'), 2, 0, 4000, 'tabby', NULL, x''),
  (4, 1, NULL, unhex('01900000000070008000000000000004'), 1, 1, 1500, NULL, NULL, CAST('bob was here' AS BLOB)),
  (4, 2, 1, unhex('01900000000070008000000000000004'), 2, 1, 1500, 'tabby', NULL, CAST('so he was' AS BLOB));
INSERT INTO chunk(sid, seq, start, stop, body) VALUES (2, 2, 0, 3, CAST('Hel' AS BLOB));
INSERT INTO idem(owner, session, key, hash, turn, at) VALUES ('ann', 'trip', 'k', zeroblob(32),
  unhex('01900000000070008000000000000001'), unixepoch() * 1000);
INSERT INTO op(owner, id, done, at) VALUES
  ('ann', unhex('01900000000070008000000000000009'), '6,,', unixepoch() * 1000);
INSERT INTO change(owner, n, session, turn, kind, at) VALUES
  ('ann', 7, 'trip', NULL, 1, unixepoch() * 1000),
  ('ann', 8, 'now', unhex('01900000000070008000000000000002'), 4, unixepoch() * 1000);
INSERT INTO swept(owner, n) VALUES ('ann', 6), ('bob', 3);
