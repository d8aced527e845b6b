"""The engine's decisions and values: manifest, diff, plan, checkpoint, quota.

Pure: no I/O, no clock, no randomness, nothing that waits; all input comes in as arguments.
Imports the standard library and orjson only.
"""
