"""Tenants of the TypeScript system, brought over with their keys."""
