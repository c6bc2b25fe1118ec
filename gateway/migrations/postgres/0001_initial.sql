-- Times are milliseconds since 1970 by the gateway's clock unless the name says otherwise.

CREATE TABLE streams (
    device      TEXT   NOT NULL,
    stream      TEXT   NOT NULL,
    epoch       BIGINT NOT NULL,
    watermark   BIGINT NOT NULL DEFAULT 0,
    max_seq     BIGINT NOT NULL DEFAULT 0,
    ahead       TEXT   NOT NULL DEFAULT '',
    stored      BIGINT NOT NULL DEFAULT 0,
    duplicates  BIGINT NOT NULL DEFAULT 0,
    updated_ms  BIGINT NOT NULL,
    PRIMARY KEY (device, stream, epoch)
) WITH (fillfactor = 70);

-- The day is in the key because a partitioned table wants it there; that a number is stored once is the work of
-- streams.watermark and streams.ahead, changed under a row lock in the same transaction.
CREATE TABLE events (
    device       TEXT    NOT NULL,
    stream       TEXT    NOT NULL,
    epoch        BIGINT  NOT NULL,
    seq          BIGINT  NOT NULL,
    received_ms  BIGINT  NOT NULL,
    id           UUID    NOT NULL,
    kind         TEXT    NOT NULL,
    boot         BIGINT  NOT NULL,
    mono_ms      BIGINT  NOT NULL,
    wall_ms      BIGINT  NOT NULL,
    time_synced  BOOLEAN NOT NULL,
    data         TEXT    NOT NULL,
    PRIMARY KEY (device, stream, epoch, seq, received_ms)
) PARTITION BY LIST (stream);

-- Two halves with a retention each; days of them are dropped whole. Days are made ahead of time; what a clock far off
-- puts outside of them goes into the default, so that it is stored all the same.
CREATE TABLE events_records PARTITION OF events FOR VALUES IN ('calls', 'messages', 'leads', 'audit')
    PARTITION BY RANGE (received_ms);
CREATE TABLE events_records_default PARTITION OF events_records DEFAULT;
CREATE TABLE events_diagnostics PARTITION OF events FOR VALUES IN ('metrics', 'logs')
    PARTITION BY RANGE (received_ms);
CREATE TABLE events_diagnostics_default PARTITION OF events_diagnostics DEFAULT;

CREATE TABLE losses (
    device       TEXT   NOT NULL,
    stream       TEXT   NOT NULL,
    epoch        BIGINT NOT NULL,
    from_seq     BIGINT NOT NULL,
    to_seq       BIGINT NOT NULL,
    reason       TEXT   NOT NULL,
    received_ms  BIGINT NOT NULL,
    PRIMARY KEY (device, stream, epoch, from_seq)
);

CREATE TABLE quarantine (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device       TEXT   NOT NULL,
    topic        TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    size_bytes   BIGINT NOT NULL,
    payload      BYTEA  NOT NULL,
    received_ms  BIGINT NOT NULL
);
CREATE INDEX quarantine_device ON quarantine (device, id);

CREATE TABLE devices (
    id               TEXT    PRIMARY KEY,
    first_seen_ms    BIGINT  NOT NULL,
    online           BOOLEAN NOT NULL DEFAULT FALSE,
    boot             BIGINT  NOT NULL DEFAULT 0,
    connected_seq    BIGINT  NOT NULL DEFAULT 0,
    presence_ms      BIGINT  NOT NULL DEFAULT 0,
    software         TEXT,
    reported         TEXT,
    reported_boot    BIGINT  NOT NULL DEFAULT 0,
    reported_version BIGINT  NOT NULL DEFAULT 0,
    reported_ms      BIGINT  NOT NULL DEFAULT 0,
    desired_applied  BIGINT  NOT NULL DEFAULT 0
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
    created_ms  BIGINT NOT NULL
);

CREATE TABLE group_members (
    name   TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    device TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    PRIMARY KEY (name, device)
);
CREATE INDEX group_members_device ON group_members (device, name);

CREATE TABLE desired (
    device            TEXT   PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    version           BIGINT NOT NULL,
    config            TEXT   NOT NULL,
    changed_ms        BIGINT NOT NULL,
    changed_by        TEXT   NOT NULL,
    published_version BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX desired_unpublished ON desired (device) WHERE published_version < version;

CREATE TABLE commands (
    device      TEXT    NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    id          TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    args        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    detail      TEXT    NOT NULL DEFAULT '',
    issued_ms   BIGINT  NOT NULL,
    issued_by   TEXT    NOT NULL,
    expires_ms  BIGINT  NOT NULL,
    changed_ms  BIGINT  NOT NULL,
    -- Whether the retained topic holds the request (or, once over, is empty), as it should.
    published   BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (device, id)
);
CREATE INDEX commands_unpublished ON commands (device, id) WHERE NOT published;
CREATE INDEX commands_open ON commands (expires_ms) WHERE state IN ('requested', 'accepted', 'running');

CREATE TABLE audit (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
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
    hash        BYTEA  NOT NULL,
    created_ms  BIGINT NOT NULL,
    expires_ms  BIGINT,
    revoked_ms  BIGINT
);

-- What changed, for readers that follow live: a tail of it, pruned by age.
CREATE TABLE changes (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    device  TEXT   NOT NULL,
    data    TEXT   NOT NULL
);
CREATE INDEX changes_at ON changes (at_ms);
