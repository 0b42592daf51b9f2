-- Devices: the keys with which peers prove who makes a link.

CREATE TABLE devices (
    device        BLOB    NOT NULL PRIMARY KEY,  -- the first 16 bytes of SHA-256 over public_key
    peer          INTEGER NOT NULL REFERENCES peers (id),
    public_key    BLOB    NOT NULL,              -- Ed25519, 32 bytes
    label         TEXT    NOT NULL,              -- what people call it
    registered_at INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL               -- opened a live stream, or was registered
) STRICT, WITHOUT ROWID;

CREATE INDEX devices_of_peer ON devices (peer);
