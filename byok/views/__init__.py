"""Pages of keys and configuration, one module per page."""
