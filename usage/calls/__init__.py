"""Single calls: the log with its filters, and downloads of what they show."""
