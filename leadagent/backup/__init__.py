"""Rehearsing that a backup can be restored: dump, restore beside the original, prove that all of it is there."""
