-- One-time prices are sold beside a subscription, too, in the checkout session that begins it. Such a purchase is paid by the
-- subscription's first invoice, and a refund or a dispute leads to it by that.
LOCK TABLE purchases IN ACCESS EXCLUSIVE MODE;

ALTER TABLE purchases ADD COLUMN invoice_id TEXT;        -- what it was paid by beside a subscription; NULL: it was bought by itself
-- "Which purchase did this invoice pay?"
CREATE INDEX purchases_of_invoice ON purchases (guild_id, connection_id, invoice_id) WHERE invoice_id IS NOT NULL;

GRANT INSERT (invoice_id), UPDATE (invoice_id) ON purchases TO nexrole_gateway;
