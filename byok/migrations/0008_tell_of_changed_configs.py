"""Whoever keeps configurations and prices in memory hears of each change when it commits: see `byok.config.heard`."""

from django.db import migrations

# One channel; the payload is the organisation's id, or empty where every organisation is meant (a list price). Within one
# transaction PostgreSQL tells the same payload once.
_FUNCTIONS = """
CREATE FUNCTION byok_tell_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify('byok_config', '');
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('byok_config', OLD.organization_id::text);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('byok_config', NEW.organization_id::text);
    END IF;
    RETURN NULL;
END
$$;
"""

# Of a key only what is kept in memory: its sealed text is read anew before each exchange, and its last use
# is nobody's business but the pages'.
_TRIGGERS = """
CREATE TRIGGER byok_config_tells AFTER INSERT OR UPDATE OR DELETE ON byok_aiconfig
    FOR EACH ROW EXECUTE FUNCTION byok_tell_of_change();
CREATE TRIGGER byok_config_emptied_tells AFTER TRUNCATE ON byok_aiconfig
    FOR EACH STATEMENT EXECUTE FUNCTION byok_tell_of_change();
CREATE TRIGGER byok_key_tells AFTER INSERT OR DELETE ON byok_providercredential
    FOR EACH ROW EXECUTE FUNCTION byok_tell_of_change();
CREATE TRIGGER byok_changed_key_tells AFTER UPDATE ON byok_providercredential FOR EACH ROW
    WHEN ((OLD.id, OLD.organization_id, OLD.provider, OLD.status, OLD.saved_at)
        IS DISTINCT FROM (NEW.id, NEW.organization_id, NEW.provider, NEW.status, NEW.saved_at))
    EXECUTE FUNCTION byok_tell_of_change();
CREATE TRIGGER byok_keys_emptied_tell AFTER TRUNCATE ON byok_providercredential
    FOR EACH STATEMENT EXECUTE FUNCTION byok_tell_of_change();
CREATE TRIGGER byok_price_tells AFTER INSERT OR UPDATE OR DELETE ON byok_datedprice
    FOR EACH ROW EXECUTE FUNCTION byok_tell_of_change();
CREATE TRIGGER byok_prices_emptied_tell AFTER TRUNCATE ON byok_datedprice
    FOR EACH STATEMENT EXECUTE FUNCTION byok_tell_of_change();
"""

_DROP = """
DROP TRIGGER byok_price_tells ON byok_datedprice;
DROP TRIGGER byok_prices_emptied_tell ON byok_datedprice;
DROP TRIGGER byok_config_tells ON byok_aiconfig;
DROP TRIGGER byok_config_emptied_tells ON byok_aiconfig;
DROP TRIGGER byok_key_tells ON byok_providercredential;
DROP TRIGGER byok_changed_key_tells ON byok_providercredential;
DROP TRIGGER byok_keys_emptied_tell ON byok_providercredential;
DROP FUNCTION byok_tell_of_change();
"""


class Migration(migrations.Migration):
    dependencies = [("byok", "0007_catalog_digests")]

    operations = [migrations.RunSQL(_FUNCTIONS + _TRIGGERS, _DROP)]
