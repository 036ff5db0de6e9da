"""The JSON API of usage."""
