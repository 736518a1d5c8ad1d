-- Who moves what they paid for to another account logs in as both, in one browser. The first says so with its session, which holds the
-- offer for ten minutes and ends it with itself; the browser keeps the secret, by which alone the second finds it.
LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE;

ALTER TABLE sessions
    ADD COLUMN offer_hash  TEXT CHECK (length(offer_hash) = 43),     -- SHA-256 of the offer's secret, base64url
    ADD COLUMN offer_guild BIGINT,                                   -- for which server
    ADD COLUMN offer_name  TEXT CHECK (length(offer_name) <= 600),   -- the username of who offers; sealed by the offer's secret
    ADD COLUMN offer_at    TIMESTAMPTZ;                              -- since when
-- "Whose offer is this?"
CREATE UNIQUE INDEX sessions_by_offer ON sessions (offer_hash) WHERE offer_hash IS NOT NULL;
GRANT UPDATE (offer_hash, offer_guild, offer_name, offer_at) ON sessions TO nexrole_ingest;
