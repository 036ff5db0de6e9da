"""What an organisation has chosen: reading it for calls and for pages, saving it, the forms for it."""
