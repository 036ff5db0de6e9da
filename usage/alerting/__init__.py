"""What an organisation is told, when, and over which channels."""
