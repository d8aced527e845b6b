"""The engine's decisions and values: no I/O, no clock, no randomness.

The manifest, the diff, the plan, the checkpoint, retries and the quota.

Pure: no I/O, no clock, no randomness, nothing that waits; all input comes in as arguments.
Imports the standard library and orjson only.
"""
