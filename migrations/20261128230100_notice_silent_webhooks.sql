-- Webhooks that stop (an endpoint that was deleted, a wrong address, a wrong secret) fail in silence: polling brings the events, ten
-- minutes late. What a poll finds tells which way events come, and the server's owner is told when it is the slow one alone.
LOCK TABLE stripe_cursors IN ACCESS EXCLUSIVE MODE;

ALTER TABLE stripe_cursors
    -- When a poll last found that webhooks had brought all that was new; NULL: never.
    ADD COLUMN webhook_at     TIMESTAMPTZ,
    -- Events since then that a webhook was to bring, and polling brought.
    ADD COLUMN webhook_missed INTEGER NOT NULL DEFAULT 0;

GRANT UPDATE (webhook_at, webhook_missed) ON stripe_cursors TO nexrole_gateway;
GRANT SELECT (answered_at) ON stripe_cursors TO nexrole_ingest;
