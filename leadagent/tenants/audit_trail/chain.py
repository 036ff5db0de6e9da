"""The audit log's hash chains: how an entry is hashed, and a quick look at the entries of one page.

The full proof of every chain is `tenants.audit_trail.verify`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.db import connection

from leadagent.tenants.audit_models import AuditEvent
from leadagent.tenants.models import Organization

# What migration 0004 hashes, written out again: a proof that asked the database's own function
# would believe whoever changed that function.
CANONICAL_SQL = """jsonb_build_array(
    position, previous_hash, organization_id, id,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    actor_id, actor_label, action, target, before, after, host(ip_address)
)::text"""


def hash_of(canonical: str) -> str:
    """SHA-256 of an entry's canonical text, as 64 hexadecimal digits."""
    return sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainGlance:
    """What a look at some entries and the head says about a chain."""

    length: int
    head: str
    # Positions of the entries that were looked at and are not what was chained.
    broken: tuple[int, ...]
    # Entries that were written past the chain.
    unchained: int
    # The head names the last entry and has its hash.
    is_head_right: bool

    @property
    def is_intact(self) -> bool:
        return self.is_head_right and not self.broken and not self.unchained


# One statement, so that the head and the entries are of one moment.
_GLANCE_SQL = f"""
SELECT chain_length, chain_head, position, previous_hash, hash, {CANONICAL_SQL}
FROM (SELECT 1) AS always
LEFT JOIN (SELECT length AS chain_length, head AS chain_head FROM tenants_auditchain WHERE id = %s) AS chain ON true
LEFT JOIN tenants_auditevent
    ON organization_id = %s AND (id = ANY(%s) OR position >= greatest(chain_length, 1))
ORDER BY position
"""  # noqa: S608


def glance(organization: Organization, events: Sequence[AuditEvent]) -> ChainGlance:
    """Check these entries of the organisation against their hashes and their neighbours among them, and the head.

    One query, whatever the chain's length.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GLANCE_SQL, [organization.pk, organization.pk, [event.pk for event in events]])
        rows = cursor.fetchall()
        # What this very transaction wrote is chained when it commits.
        may_wait = connection.in_atomic_block
    length, head = rows[0][0] or 0, rows[0][1] or ""
    broken = []
    last_position, last_hash = 0, ""
    for _, _, position, previous_hash, own_hash, canonical in rows:
        if not position:
            continue
        follows = position != last_position + 1 or previous_hash == last_hash
        if own_hash != hash_of(canonical) or not follows:
            broken.append(position)
        last_position, last_hash = position, own_hash
    return ChainGlance(
        length=length,
        head=head,
        broken=tuple(broken),
        unchained=0 if may_wait else sum(not event.position for event in events),
        is_head_right=(last_position, last_hash) == (length, head),
    )
