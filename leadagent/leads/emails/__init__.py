"""From a report to a mail that was sent: drafting, checking its facts, rewriting, approving, sending, bounces."""
