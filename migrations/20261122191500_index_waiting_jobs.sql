-- Jobs that wait are found without reading all others: those that failed, when Discord recovers, and those of one member and
-- role, of which one is kept.

-- "Which jobs of this guild failed before?"
CREATE INDEX role_jobs_failing ON role_jobs (guild_id) WHERE state = 'pending' AND attempts > 0;
-- "What waits for this member and role?"
CREATE INDEX role_jobs_parked_member ON role_jobs (guild_id, user_id, role_id) WHERE state = 'parked';
