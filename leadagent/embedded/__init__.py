"""PostgreSQL and Redis from wheels, and the runner that `make run` and `make test` stand on.

Nothing here imports Django's settings: the runner makes the environment that settings reads.
"""
