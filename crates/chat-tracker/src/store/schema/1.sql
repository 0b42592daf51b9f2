-- Times are milliseconds since 1970, UTC.

CREATE TABLE peers (
    id            INTEGER PRIMARY KEY,
    folded        TEXT    NOT NULL UNIQUE,  -- lower case: spellings of one id are one peer
    name          TEXT    NOT NULL,         -- as it is shown
    ip            TEXT    NOT NULL,
    port          INTEGER NOT NULL,
    owner         TEXT,                     -- the account (sub); NULL for a guest's peer
    registered_at INTEGER NOT NULL
) STRICT;

CREATE TABLE channels (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    private    INTEGER NOT NULL,
    head       INTEGER NOT NULL DEFAULT 0,  -- the newest message's seq
    created_at INTEGER NOT NULL
) STRICT;

INSERT INTO channels (name, private, created_at) VALUES ('general', 0, 0);

CREATE TABLE members (
    channel   INTEGER NOT NULL REFERENCES channels (id),
    peer      INTEGER NOT NULL REFERENCES peers (id),
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (channel, peer)
) STRICT, WITHOUT ROWID;

-- One read marker per peer and channel. It outlives the membership.
CREATE TABLE markers (
    peer     INTEGER NOT NULL REFERENCES peers (id),
    channel  INTEGER NOT NULL REFERENCES channels (id),
    read_seq INTEGER NOT NULL,
    PRIMARY KEY (peer, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    channel   INTEGER NOT NULL REFERENCES channels (id),
    seq       INTEGER NOT NULL,             -- 1, 2, 3, … in each channel, without gaps
    sender    INTEGER NOT NULL REFERENCES peers (id),
    client_id TEXT    NOT NULL,             -- made by the sender; a retry carries the same
    body      TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    UNIQUE (channel, seq),
    UNIQUE (sender, client_id)
) STRICT;

-- The mailbox. An acknowledged message loses its body and stays as a receipt until it expires.
CREATE TABLE direct (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    sender       INTEGER NOT NULL REFERENCES peers (id),
    client_id    TEXT    NOT NULL,
    recipient    INTEGER NOT NULL REFERENCES peers (id),
    body         TEXT,
    bytes        INTEGER NOT NULL,
    digest       BLOB    NOT NULL,          -- SHA-256 of the body: tells a retry from another message
    at           INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    delivered_at INTEGER,
    UNIQUE (sender, client_id)
) STRICT;

CREATE INDEX direct_waiting ON direct (recipient, id, bytes) WHERE delivered_at IS NULL;
CREATE INDEX direct_expiry ON direct (expires_at);
