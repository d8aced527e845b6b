"""A request's way through the sandbox: quota, faults, delays, the request log. No sockets.

Imports `sandbox.api` and `sandbox.shop`; nothing of the engine.
"""
