-- A thin event carries no object: of an invoice or a checkout session, only reading it tells which subscription it is about.
ALTER TABLE stripe_sync DROP CONSTRAINT stripe_sync_object_kind_check;
ALTER TABLE stripe_sync ADD CONSTRAINT stripe_sync_object_kind_check
    CHECK (object_kind IN ('catalogue', 'checkout_session', 'customer', 'invoice', 'subscription'));
