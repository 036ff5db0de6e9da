"""Stored keys: sealing, storing, opening for a call, their state, their use, the change of the secret."""
