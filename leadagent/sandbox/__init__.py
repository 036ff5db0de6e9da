"""A stand-in for OpenAI, Anthropic and OpenRouter: their wire format over HTTP, invented answers.

It has no models and touches neither PostgreSQL nor Redis, imports nothing else of the
project, and answers loopback callers only. Which key text makes it misbehave is listed
in `keys.MODES`.
"""
