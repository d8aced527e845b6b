"""Applying one product's plan: what remains to do, unconfirmed writes, stale listings, duplicates, store traits.

Pure. Imports `core.plan`, `core.diff`, `core.checkpoint` and the values.
"""
