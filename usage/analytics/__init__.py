"""What an organisation used and what it cost, summed by the database over daily rollups.

Periods are UTC days, half-open: `start` is in, `end` is not. Costs are US dollars.
"""

from usage.analytics.latency import ModelLatency, get_latency_by_model
from usage.analytics.stats import (
    UsageStats,
    get_ai_usage_stats,
    get_model_distribution,
    get_monthly_usage_stats,
    get_total_cost_by_period,
    get_usage_by_operation,
    get_usage_of_model,
)
from usage.analytics.totals import UsageTotals, share

__all__ = [
    "ModelLatency",
    "UsageStats",
    "UsageTotals",
    "get_ai_usage_stats",
    "get_latency_by_model",
    "get_model_distribution",
    "get_monthly_usage_stats",
    "get_total_cost_by_period",
    "get_usage_by_operation",
    "get_usage_of_model",
    "share",
]
