-- One object that Stripe does not have, such as a test event's, was shown as "Stripe cannot be read" for days, and hid whatever else
-- went wrong. So it is kept since when something cannot be read, and when the list of events was last read: Stripe cannot be read
-- if nothing could be since then.

LOCK TABLE stripe_sync, stripe_cursors IN ACCESS EXCLUSIVE MODE;

ALTER TABLE stripe_sync
    ADD COLUMN failing_since TIMESTAMPTZ;                -- since when reads of it fail; NULL: Stripe answered, if only that it has none such
ALTER TABLE stripe_cursors
    ADD COLUMN failing_since TIMESTAMPTZ,                -- since when polls fail; NULL: the last one went through
    ADD COLUMN answered_at   TIMESTAMPTZ;                -- when one last went through

GRANT UPDATE (failing_since) ON stripe_sync TO nexrole_gateway;
GRANT UPDATE (failing_since, answered_at) ON stripe_cursors TO nexrole_gateway;
