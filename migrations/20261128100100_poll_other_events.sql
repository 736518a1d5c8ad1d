-- Stripe's list of events takes 20 types at a time, and there are more that matter. What is no matter of access (what is sold, and
-- what is only to be told) is a list of its own, polled less often, from a cursor of its own.

ALTER TABLE stripe_cursors
    ADD COLUMN other_event_id TEXT,                               -- the newest of the other events that was read; NULL: none yet
    ADD COLUMN other_poll_at  TIMESTAMPTZ NOT NULL DEFAULT now(); -- not before then; moved on by whoever takes the poll

GRANT SELECT (other_event_id, other_poll_at), UPDATE (other_poll_at) ON stripe_cursors TO nexrole_ingest;
GRANT UPDATE (other_event_id, other_poll_at) ON stripe_cursors TO nexrole_gateway;
