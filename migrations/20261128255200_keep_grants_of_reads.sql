-- Stripe grants an account so many reads a month. What nobody waits for stops when they are spent, and the operator sees what is left.
LOCK TABLE stripe_cursors IN ACCESS EXCLUSIVE MODE;

-- Of the month of `reads`, by the payments of the last 30 days that we know of.
ALTER TABLE stripe_cursors ADD COLUMN reads_granted INTEGER NOT NULL DEFAULT 10000;

GRANT UPDATE (reads_granted) ON stripe_cursors TO nexrole_gateway;
