"""Getting a key without typing one: a person agrees at the provider."""
