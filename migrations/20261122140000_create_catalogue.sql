-- What an owner sells, mirrored so that a mapping has something to show: active prices with their product's name, and
-- payment links. Read whole at first contact, and again when Stripe hints at a change.
ALTER TABLE stripe_sync DROP CONSTRAINT stripe_sync_object_kind_check;
ALTER TABLE stripe_sync ADD CONSTRAINT stripe_sync_object_kind_check
    CHECK (object_kind IN ('catalogue', 'customer', 'subscription'));

CREATE TABLE prices (
    guild_id       BIGINT NOT NULL,
    connection_id  BIGINT NOT NULL,
    price_id       TEXT NOT NULL,
    product_id     TEXT NOT NULL,
    product_name   TEXT,                                 -- the owner's words, cut at 250 characters
    currency       TEXT,                                 -- three letters, lower-case, as Stripe writes it
    unit_amount    BIGINT,                               -- in the currency's smallest unit; NULL: tiered, or chosen by the buyer
    interval       TEXT,                                 -- day, week, month, year; NULL: paid once
    interval_count INTEGER,
    PRIMARY KEY (guild_id, connection_id, price_id)
);

CREATE TABLE payment_links (
    guild_id        BIGINT NOT NULL,
    connection_id   BIGINT NOT NULL,
    payment_link_id TEXT NOT NULL,
    url             TEXT NOT NULL,                       -- where buyers are sent to
    price_ids       TEXT[] NOT NULL,                     -- what is sold; empty: Stripe did not say
    redirect_url    TEXT,                                -- where a buyer lands afterwards; NULL: on Stripe's own page
    PRIMARY KEY (guild_id, connection_id, payment_link_id)
);
