"""What beat asks workers for, and how often: in seconds, or by the clock in UTC.

It sweeps whatever a lost nudge left behind: each of these is safe to run twice.
"""

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    "drain-usage-inbox": {"task": "usage.tasks.drain_inbox", "schedule": 5.0},
    "reconcile-usage": {"task": "usage.tasks.reconcile", "schedule": 60.0},
    "prepare-usage-partitions": {
        "task": "usage.tasks.prepare_partitions",
        "schedule": 6 * 3600.0,
    },
    "drop-expired-usage": {"task": "usage.tasks.drop_expired_months", "schedule": crontab(hour=4, minute=10)},
    "send-cost-alerts": {"task": "usage.tasks.send_cost_alerts", "schedule": 60.0},
    "sweep-usage-exports": {"task": "usage.tasks.sweep_exports", "schedule": 60.0},
    "log-audit-heads": {
        "task": "leadagent.tenants.tasks.log_audit_heads",
        # By the clock: an interval of a day would begin anew with every deployment.
        "schedule": crontab(hour=3, minute=20),
    },
    "recheck-keys": {"task": "byok.tasks.recheck_keys", "schedule": 900.0},
    "repair-usage": {"task": "byok.tasks.repair_usage", "schedule": 30.0},
    "tell-admins-of-refused-keys": {"task": "byok.tasks.tell_admins", "schedule": 30.0},
    "note-key-use": {"task": "byok.tasks.note_key_use", "schedule": 3600.0},
    "drop-superseded-keys": {"task": "byok.tasks.drop_superseded_keys", "schedule": 3600.0},
    "sync-catalog": {"task": "byok.tasks.sync_catalog", "schedule": crontab(hour=4, minute=10)},
    "sync-own-models": {"task": "byok.tasks.sync_own_models", "schedule": 600.0},
    # All that was found in an hour is one mail.
    "tell-of-catalog-changes": {"task": "byok.tasks.tell_of_catalog_changes", "schedule": 3600.0},
    "remind-of-secret-age": {"task": "byok.tasks.remind_of_secret_age", "schedule": crontab(hour=3, minute=40)},
    "drop-unused-lead-files": {"task": "leadagent.leads.tasks.drop_unused_files", "schedule": 3600.0},
    "deliver-lead-webhooks": {"task": "leadagent.leads.tasks.deliver_webhooks", "schedule": 15.0},
    "sweep-workflow-runs": {
        "task": "leadagent.leads.tasks.sweep_runs",
        "schedule": 15.0,
    },
}
