"""The benchmark run: what the machine, the quota and the store allow. The store and what is measured have a process each.

May start processes and write to a temporary folder; decides nothing about the engine, which it only calls by its public verbs.
"""
