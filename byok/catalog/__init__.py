"""Which models there are: packaged facts, what providers list, tiers, search."""
