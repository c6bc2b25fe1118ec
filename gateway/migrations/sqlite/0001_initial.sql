-- Times are milliseconds since 1970 by the gateway's clock unless the name says otherwise.

CREATE TABLE streams (
    device      TEXT   NOT NULL,
    stream      TEXT   NOT NULL,
    epoch       INTEGER NOT NULL,
    watermark   INTEGER NOT NULL DEFAULT 0,
    max_seq     INTEGER NOT NULL DEFAULT 0,
    ahead       TEXT   NOT NULL DEFAULT '',
    stored      INTEGER NOT NULL DEFAULT 0,
    duplicates  INTEGER NOT NULL DEFAULT 0,
    updated_ms  INTEGER NOT NULL,
    PRIMARY KEY (device, stream, epoch)
);

-- That a number is stored once is the work of streams.watermark and streams.ahead, changed in the same transaction.
CREATE TABLE events (
    device       TEXT    NOT NULL,
    stream       TEXT    NOT NULL,
    epoch        INTEGER  NOT NULL,
    seq          INTEGER  NOT NULL,
    received_ms  INTEGER  NOT NULL,
    id           BLOB    NOT NULL,
    kind         TEXT    NOT NULL,
    boot         INTEGER  NOT NULL,
    mono_ms      INTEGER  NOT NULL,
    wall_ms      INTEGER  NOT NULL,
    time_synced  BOOLEAN NOT NULL,
    data         TEXT    NOT NULL,
    PRIMARY KEY (device, stream, epoch, seq)
);
CREATE INDEX events_received ON events (stream, received_ms);

CREATE TABLE losses (
    device       TEXT   NOT NULL,
    stream       TEXT   NOT NULL,
    epoch        INTEGER NOT NULL,
    from_seq     INTEGER NOT NULL,
    to_seq       INTEGER NOT NULL,
    reason       TEXT   NOT NULL,
    received_ms  INTEGER NOT NULL,
    PRIMARY KEY (device, stream, epoch, from_seq)
);

CREATE TABLE quarantine (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    device       TEXT   NOT NULL,
    topic        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    size_bytes   INTEGER NOT NULL,
    payload      BLOB  NOT NULL,
    received_ms  INTEGER NOT NULL
);
CREATE INDEX quarantine_device ON quarantine (device, id);

CREATE TABLE devices (
    id               TEXT    PRIMARY KEY,
    first_seen_ms    INTEGER  NOT NULL,
    online           BOOLEAN NOT NULL DEFAULT FALSE,
    boot             INTEGER  NOT NULL DEFAULT 0,
    connected_seq    INTEGER  NOT NULL DEFAULT 0,
    presence_ms      INTEGER  NOT NULL DEFAULT 0,
    software         TEXT,
    reported         TEXT,
    reported_boot    INTEGER  NOT NULL DEFAULT 0,
    reported_version INTEGER  NOT NULL DEFAULT 0,
    reported_ms      INTEGER  NOT NULL DEFAULT 0,
    desired_applied  INTEGER  NOT NULL DEFAULT 0
);

CREATE TABLE tags (
    device TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    tag    TEXT NOT NULL,
    PRIMARY KEY (device, tag)
);
CREATE INDEX tags_tag ON tags (tag, device);

CREATE TABLE groups (
    name        TEXT   PRIMARY KEY,
    description TEXT   NOT NULL,
    created_ms  INTEGER NOT NULL
);

CREATE TABLE group_members (
    name   TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    device TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    PRIMARY KEY (name, device)
);
CREATE INDEX group_members_device ON group_members (device, name);

CREATE TABLE desired (
    device            TEXT   PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    version           INTEGER NOT NULL,
    config            TEXT   NOT NULL,
    changed_ms        INTEGER NOT NULL,
    changed_by        TEXT   NOT NULL,
    published_version INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX desired_unpublished ON desired (device) WHERE published_version < version;

CREATE TABLE commands (
    device      TEXT    NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    id          TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    args        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    detail      TEXT    NOT NULL DEFAULT '',
    issued_ms   INTEGER  NOT NULL,
    issued_by   TEXT    NOT NULL,
    expires_ms  INTEGER  NOT NULL,
    changed_ms  INTEGER  NOT NULL,
    -- Whether the retained topic holds the request (or, once over, is empty), as it should.
    published   BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (device, id)
);
CREATE INDEX commands_unpublished ON commands (device, id) WHERE NOT published;
CREATE INDEX commands_open ON commands (expires_ms) WHERE state IN ('requested', 'accepted', 'running');

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);
CREATE INDEX audit_target ON audit (target, id);

CREATE TABLE tokens (
    id          TEXT   PRIMARY KEY,
    name        TEXT   NOT NULL,
    role        TEXT   NOT NULL,
    scopes      TEXT   NOT NULL,
    hash        BLOB  NOT NULL,
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER,
    revoked_ms  INTEGER
);

-- What changed, for readers that follow live: a tail of it, pruned by age.
CREATE TABLE changes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    kind    TEXT   NOT NULL,
    device  TEXT   NOT NULL,
    data    TEXT   NOT NULL
);
CREATE INDEX changes_at ON changes (at_ms);
