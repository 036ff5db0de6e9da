"""The call path's writes: what must stand whatever happens to the call, the process or PostgreSQL."""
