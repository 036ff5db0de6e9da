"""`make bench`: the figures of docs/performance.md, measured against references in the same run."""
