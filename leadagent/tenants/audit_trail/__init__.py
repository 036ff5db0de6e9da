"""The audit log: its chains, what is kept out of it, reading it, proving it.

Whoever does something that is to be found there writes it with `tenants.audit.record`.
"""
