"""What may be spent: the free tier, budgets, the limit per minute. Asked before a call leaves."""
