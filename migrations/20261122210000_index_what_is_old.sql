-- "What is older than 90 days?", asked once an hour. BRIN: rows arrive in the order of time, and inserts pay next to nothing.
CREATE INDEX stripe_events_received ON stripe_events USING brin (received_at);
CREATE INDEX role_jobs_finished ON role_jobs USING brin (finished_at);
CREATE INDEX access_sources_changed ON access_sources USING brin (changed_at);
