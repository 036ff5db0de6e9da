"""What usage adds to support's view of organisations: free tier, this month's calls, alerts."""
