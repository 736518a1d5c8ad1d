-- How often Stripe said that it has no such object, apart from failures of other kinds: an outage must not use up the
-- patience with which a missing object is asked for again.
ALTER TABLE stripe_sync ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
