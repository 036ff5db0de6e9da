"""Pages of leads, their runs and drafts, and of the knowledge base."""
