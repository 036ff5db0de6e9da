"""What came of leads, counted for the usage page and told to the organisation's own systems."""
