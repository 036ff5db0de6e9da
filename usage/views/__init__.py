"""The usage pages of an organisation, one module per page."""
