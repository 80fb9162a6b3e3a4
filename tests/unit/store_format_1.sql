-- A store as the first version wrote it, with something of each kind.
CREATE TABLE settings (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE slices (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, document TEXT NOT NULL);
CREATE TABLE images (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    kind INTEGER NOT NULL, compression INTEGER NOT NULL, url TEXT NOT NULL, sha256 TEXT NOT NULL,
    transfer_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL, mapped_bytes INTEGER NOT NULL,
    thin_id INTEGER NOT NULL, ready INTEGER NOT NULL);
CREATE TABLE snapshots (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    slice TEXT NOT NULL REFERENCES slices (id) ON DELETE CASCADE,
    name TEXT NOT NULL, created_ms INTEGER NOT NULL, thin_id INTEGER NOT NULL,
    reserved_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL);
CREATE INDEX snapshots_of_slice ON snapshots (slice, created_ms);
CREATE TABLE requests (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL, slice TEXT NOT NULL, args TEXT NOT NULL,
    deadline_ms INTEGER NOT NULL, internal INTEGER NOT NULL, phase INTEGER NOT NULL,
    step INTEGER NOT NULL, scratch TEXT, result TEXT, error_code TEXT, error_message TEXT);
CREATE INDEX requests_by_phase ON requests (phase);
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL);
PRAGMA application_id = 1936483683;
PRAGMA user_version = 1;
INSERT INTO settings VALUES ('thin_id', '7');
INSERT INTO images VALUES (
    1, '00000000-0000-4000-8000-000000000001', 0, 3, 'https://h/x', 'ab', 5, 1048576, 65536, 3, 1);
INSERT INTO events VALUES (12, '{"type": "node.problem"}');
INSERT INTO requests VALUES (
    1, '00000000-0000-4000-8000-000000000002', 'slice.stop', '', '{}', 0, 0, 3, 0, NULL, NULL, NULL, NULL);
