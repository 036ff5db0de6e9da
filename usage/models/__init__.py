"""The tables of usage: what each AI call used and cost, what may be spent, and what is told of it."""

from usage.models.alerts import (
    AlertChannel,
    AlertDelivery,
    AlertSecret,
    AlertSent,
    AlertSettings,
    CostAlert,
)
from usage.models.budgets import Budget, BudgetMonth, CallRate
from usage.models.calls import COST_DECIMALS, COST_DIGITS, AIUsage, KeyOwner, TokenCounts, UsageState
from usage.models.daily import UsageDaily
from usage.models.deliveries import Delivery, DeliveryState
from usage.models.exports import ExportState, UsageExport
from usage.models.free_tier import FreeTierMonth
from usage.models.inbox import DeadLetter, DeadLetterKind, DroppedMonth, InboxKind, UnsettledCall, UsageInbox

__all__ = [
    "COST_DECIMALS",
    "COST_DIGITS",
    "AIUsage",
    "AlertChannel",
    "AlertDelivery",
    "AlertSecret",
    "AlertSent",
    "AlertSettings",
    "Budget",
    "BudgetMonth",
    "CallRate",
    "CostAlert",
    "DeadLetter",
    "DeadLetterKind",
    "Delivery",
    "DeliveryState",
    "DroppedMonth",
    "ExportState",
    "FreeTierMonth",
    "InboxKind",
    "KeyOwner",
    "TokenCounts",
    "UnsettledCall",
    "UsageDaily",
    "UsageExport",
    "UsageInbox",
    "UsageState",
]
