"""How many models there are by maker, beside the page that shows some of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db.models import Count

from byok.catalog.search import CatalogFilter, matching
from byok.catalog.vendors import vendor_label
from byok.models import CatalogModel
from leadagent.tenants.models import Organization


@dataclass(frozen=True, slots=True)
class VendorCount:
    vendor: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """How many models match, and how many would by each maker, the chosen one or not."""

    total: int
    vendors: list[VendorCount]


def facets(organization: Organization, wanted: CatalogFilter, *, usable_with: frozenset[str] = frozenset()) -> Facets:
    """Counts by maker under the other choices, in one query; the total comes from them."""
    found = matching(organization, replace(wanted, vendor=""), usable_with=usable_with)
    counts = dict(found.values_list("vendor").annotate(models=Count("pk")).order_by())
    if wanted.vendor:
        counts.setdefault(wanted.vendor, 0)
    vendors = [VendorCount(vendor, vendor_label(vendor), count) for vendor, count in counts.items()]
    vendors.sort(key=lambda each: each.label.lower())
    return Facets(counts[wanted.vendor] if wanted.vendor else sum(counts.values()), vendors)


def vendors_of(organization: Organization) -> list[tuple[str, str]]:
    """Every maker of models on offer with its label, in the labels' order."""
    names = CatalogModel.objects.visible_to(organization).offered().order_by().values_list("vendor", flat=True)
    return sorted(((name, vendor_label(name)) for name in names.distinct()), key=lambda each: each[1].lower())
