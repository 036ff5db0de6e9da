"""The usage page's parts: cards, charts, bars and the choice of a period."""
