"""Faults while work goes on: the places and the provider of the AI tests, with real connections and processes."""

from tests.byok.conftest import fake, nothing_held, own_places, pool_closed_before_the_database_goes

__all__ = ["fake", "nothing_held", "own_places", "pool_closed_before_the_database_goes"]
