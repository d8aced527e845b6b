"""The changes of all products: plan lines, cost, guards, differences, failures, and the plan that undoes a run.

Pure. Imports `core.diff`, `core.checkpoint` and the values.
"""
