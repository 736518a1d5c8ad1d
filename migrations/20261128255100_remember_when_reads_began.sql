-- An event leads to a subscription by an object that is read for it first, an invoice or a session. What was read of the subscription after
-- the event came shows as much, and is not read once more.
LOCK TABLE stripe_sync IN ACCESS EXCLUSIVE MODE;

ALTER TABLE stripe_sync ADD COLUMN read_began_at TIMESTAMPTZ;  -- when the last good read was begun; NULL: there was none since this is kept

GRANT UPDATE (read_began_at) ON stripe_sync TO nexrole_gateway;
