"""Leads from a CSV file: reading it, taking its rows in, starting their workflow at a pace."""
