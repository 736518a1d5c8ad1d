-- What was bought in test mode, or on an account that is not connected any more, gives its role for ever: no read will ever show
-- its end. That is no evidence that access ended, so it is not taken; but it is shown, and the operator can end it. A
-- disconnected connection says so itself; a key of another account, in the place of the first, only finds nothing.

LOCK TABLE subscriptions IN ACCESS EXCLUSIVE MODE;

ALTER TABLE subscriptions
    ADD COLUMN missing_since TIMESTAMPTZ;                -- since when Stripe says that this account has none such; NULL: it was read

GRANT UPDATE (missing_since) ON subscriptions TO nexrole_gateway;
