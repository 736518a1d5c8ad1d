-- A sign-up is five to seven events within two seconds, and each was a read of Stripe, of which an account has 10,000 a month for
-- sure. So the first hint at an object is read at once, and those that come soon after it share one read when the time here has come.

ALTER TABLE stripe_sync
    ADD COLUMN not_before TIMESTAMPTZ;                   -- hints wait until then: it was read just now; NULL: they do not

GRANT UPDATE (not_before) ON stripe_sync TO nexrole_gateway;
GRANT SELECT (not_before) ON stripe_sync TO nexrole_ingest;
