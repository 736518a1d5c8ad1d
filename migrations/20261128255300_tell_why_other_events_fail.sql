-- What is sold is polled by itself; why that fails, and since when, is told as of all else that fails.
LOCK TABLE stripe_cursors IN ACCESS EXCLUSIVE MODE;

ALTER TABLE stripe_cursors
    ADD COLUMN other_error TEXT,                         -- why the other events cannot be polled; NULL: they can
    ADD COLUMN other_failing_since TIMESTAMPTZ;          -- since when

GRANT UPDATE (other_error, other_failing_since) ON stripe_cursors TO nexrole_gateway;
-- `nexrole failed retry` has them polled at once.
GRANT SELECT (other_failing_since, other_poll_at), UPDATE (other_poll_at) ON stripe_cursors TO nexrole_owner;
