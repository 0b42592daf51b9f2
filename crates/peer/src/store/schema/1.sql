-- Times are milliseconds since 1970, UTC. Peer ids are kept twice: lower case to compare, and as their owners spell them.

-- Whose folder this is.
CREATE TABLE owner (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    peer   TEXT NOT NULL,               -- lower case
    server TEXT NOT NULL
) STRICT;

-- Direct messages, own ones and others'.
CREATE TABLE direct (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which they came to this device
    sender  TEXT    NOT NULL,           -- lower case
    id      TEXT    NOT NULL,           -- made by the sender
    partner TEXT    NOT NULL,           -- the other side of the talk, lower case
    name    TEXT    NOT NULL,           -- the other side as it is shown
    body    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    state   INTEGER,                    -- own ones: 0 sending, 1 queued, 2 delivered, 3 failed; NULL when another device sent it
    route   INTEGER,                    -- how it came or was delivered: 0 direct, 1 relayed, 2 mailbox
    reason  TEXT,                       -- why it failed
    direct_only INTEGER NOT NULL DEFAULT 0, -- 1 when it goes over links only
    open    INTEGER NOT NULL DEFAULT 0, -- 1 as long as this device has something to do for it: the outbox
    UNIQUE (sender, id)
) STRICT;

CREATE INDEX direct_talk ON direct (partner, at, seq);
CREATE INDEX direct_open ON direct (seq) WHERE open = 1;

-- Devices that were proved to be a partner's, or one's own.
CREATE TABLE devices (
    peer       TEXT    NOT NULL,        -- lower case
    device     TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    compared   INTEGER NOT NULL DEFAULT 0, -- 1 when two people have compared the safety number
    PRIMARY KEY (peer, device)
) STRICT, WITHOUT ROWID;

-- Files: under way, received, and what is still to be told of those that are over.
CREATE TABLE transfers (
    direction INTEGER NOT NULL,         -- 0 from here, 1 to here
    peer      TEXT    NOT NULL,         -- the other side, lower case
    file      TEXT    NOT NULL,         -- its id
    name      TEXT    NOT NULL,         -- the other side as it is shown
    offer     TEXT    NOT NULL,         -- JSON, as in the frame `file_offer`
    stage     INTEGER NOT NULL,         -- 0 to be sent, 1 accepted, 2 received, 3 over but not everybody knows
    path      BLOB,                     -- 0: the file; 1: the partial file; 2: where it is
    modified  INTEGER,                  -- 0: its last change
    devices   TEXT,                     -- 0: which accepted; 1: which sends; 3: which must be told; joined by spaces
    total     TEXT,                     -- 2: the digest over its pieces
    word      TEXT,                     -- 3: the frame that tells it, JSON
    at        INTEGER NOT NULL,         -- of the last change here
    PRIMARY KEY (direction, peer, file)
) STRICT;
