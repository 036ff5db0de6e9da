"""Leads as people see them: taken in, found, assigned, noted, closed."""
