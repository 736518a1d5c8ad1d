-- A customer's metadata that names another member than the customer is linked to was ignored without a word. It is kept, so that
-- it can be shown, and followed where nobody loses anything by that.

LOCK TABLE customers IN ACCESS EXCLUSIVE MODE;

ALTER TABLE customers
    ADD COLUMN named_user_id BIGINT;                     -- whom its metadata named when it was last read; NULL: nobody, or it is not believed
-- "Whose metadata names this member?"
CREATE INDEX customers_naming_user ON customers (guild_id, named_user_id) WHERE named_user_id IS NOT NULL;

GRANT INSERT (named_user_id), UPDATE (named_user_id) ON customers TO nexrole_gateway;
-- A link follows the metadata if we never gave its holder a role.
GRANT UPDATE (user_id, linked_at) ON member_links TO nexrole_gateway;
GRANT SELECT (guild_id, user_id) ON role_grants TO nexrole_gateway;
GRANT SELECT (guild_id, user_id, action) ON audit_log TO nexrole_gateway;
-- `/status` names them.
GRANT SELECT (guild_id, connection_id, customer_id, named_user_id) ON customers TO nexrole_bot;
-- `nexrole erase` forgets it.
GRANT UPDATE (named_user_id) ON customers TO nexrole_operator;
