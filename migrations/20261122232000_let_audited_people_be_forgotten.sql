-- Audit entries say from where somebody asked and what was before; and a person in them can be forgotten.

ALTER TABLE audit_log
    ADD COLUMN address INET,                             -- who asked over a network: from where; NULL: nobody did
    ADD COLUMN change  JSONB;                            -- {"field": [before, after]}, secrets as fingerprints; NULL: the
                                                         -- action says it all
GRANT INSERT (address, change) ON audit_log TO nexrole_gateway, nexrole_bot, nexrole_operator;

-- One change is let through, and no role but the owner may make it (`forget_member`, in the next file): everything about a
-- person goes, and what happened stays, with its number, time and place in the order.
DROP TRIGGER audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();

CREATE FUNCTION audit_log_only_forgets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.user_id IS NOT NULL
       AND (NEW.user_id, NEW.address, NEW.change, NEW.cause) IS NOT DISTINCT FROM (NULL, NULL, NULL, 'erased')
       AND (NEW.guild_id, NEW.audit_id, NEW.at, NEW.actor, NEW.action, NEW.role_id)
           IS NOT DISTINCT FROM (OLD.guild_id, OLD.audit_id, OLD.at, OLD.actor, OLD.action, OLD.role_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit_log is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER audit_log_only_forgets BEFORE UPDATE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_only_forgets();
