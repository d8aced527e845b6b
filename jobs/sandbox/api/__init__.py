"""The V2 API as the sandbox speaks it: routes, validation, serialization, error messages.

Pure. Imports `sandbox.shop` and the sandbox's config; nothing of the engine.
"""
