"""Measured processes: the sandbox, the worker, their launcher, and the machine they run on.

Starts processes and writes to a temporary folder. Imports the engine's public names, and internals in the worker only.
"""
