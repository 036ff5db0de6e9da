"""Heads of the audit chains as text, to be kept outside the database and compared later."""

import re
from collections import defaultdict
from collections.abc import Iterable

from leadagent.tenants.models import AuditChain, Organization

# chain id, then hashes by position
KeptHeads = dict[int, dict[int, set[str]]]

_HEAD = re.compile(r"\bchain=(\d+) length=(\d+) head=([0-9a-f]{64})\b")


def name_of(chain_id: int, slugs: dict[int, str]) -> str:
    """What people call a chain: the organisation's slug."""
    if chain_id == 0:
        return "(no organisation)"
    return slugs.get(chain_id, "(deleted organisation)")


def slugs_by_chain(chain_ids: Iterable[int] | None = None) -> dict[int, str]:
    """Slugs of the organisations that are still there, by id; of all of them without `chain_ids`."""
    found = Organization.objects.all() if chain_ids is None else Organization.objects.filter(pk__in=chain_ids)
    return dict(found.values_list("pk", "slug"))


def line_of(chain: AuditChain, slugs: dict[int, str]) -> str:
    """One head as text: `acme chain=7 length=120 head=9f…`. `read_heads` finds it again inside a longer line."""
    return f"{name_of(chain.pk, slugs)} chain={chain.pk} length={chain.length} head={chain.head}"


def read_heads(lines: Iterable[str]) -> KeptHeads:
    """Every head in a text: earlier output of `verify_audit`, or log lines of the daily task."""
    kept: KeptHeads = defaultdict(lambda: defaultdict(set))
    for line in lines:
        for chain_id, length, head in _HEAD.findall(line):
            kept[int(chain_id)][int(length)].add(head)
    return kept
