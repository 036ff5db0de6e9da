"""A lead's run: its steps, who holds them, what makes them wait, go on, or end."""
