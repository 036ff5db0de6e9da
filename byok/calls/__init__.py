"""One exchange with a provider: what must be true before, what is noted after, what happens when it fails."""
