-- Confirmations that were turned into a session: each is good for one. They are forgotten when they would have expired anyway.
CREATE TABLE used_confirmation (
    -- Hexadecimal SHA-256 of the token.
    hash TEXT PRIMARY KEY,
    expires BIGINT NOT NULL
);
CREATE INDEX used_confirmation_expires ON used_confirmation (expires);
