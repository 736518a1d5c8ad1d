-- Why a member has, or lacks, a role is told as one chain, back to what was bought. What that lacked: what went back of a one-time
-- purchase, whether the collection of invoices is paused and until when, and a member's jobs without reading everybody's.
LOCK TABLE role_jobs, subscriptions, purchases IN ACCESS EXCLUSIVE MODE;

ALTER TABLE subscriptions
    -- What happens to its invoices while their collection is paused, in Stripe's word; NULL: they are collected.
    ADD COLUMN collection_pause TEXT,
    -- When they are collected again; NULL: they are, or Stripe did not say.
    ADD COLUMN collection_resumes_at TIMESTAMPTZ;

ALTER TABLE purchases
    -- What went back of it; NULL: it was last read by a release that did not keep that.
    ADD COLUMN refund  TEXT CHECK (refund IN ('none', 'partial', 'full', 'unknown')),
    ADD COLUMN dispute TEXT CHECK (dispute IN ('none', 'open', 'lost', 'unknown'));

-- "What waits for this member?", beside what is pending. Few jobs are, and they seldom change.
CREATE INDEX role_jobs_waiting_of_member ON role_jobs (user_id, guild_id) WHERE state IN ('parked', 'held');
-- "What was done last about this member?"
CREATE INDEX role_jobs_done_of_member ON role_jobs (user_id, guild_id, job_id) WHERE finished_at IS NOT NULL;

GRANT INSERT (collection_pause, collection_resumes_at), UPDATE (collection_pause, collection_resumes_at) ON subscriptions TO nexrole_gateway;
GRANT INSERT (refund, dispute), UPDATE (refund, dispute) ON purchases TO nexrole_gateway;
-- `nexrole why`.
GRANT SELECT ON payment_reversals, stripe_events, stripe_cursors TO nexrole_operator;
