"""Taking a run back, product by product: what the journal proves, and the plan that reverts it.

Pure. Imports `core.plan`, `core.diff`, `core.checkpoint` and the values.
"""
