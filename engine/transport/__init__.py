"""The network: one request and its response, admission, backoff, timeouts, redaction, and the store's calls.

Touches sockets and the event loop. Imports `imageferry.core` and `imageferry.clock`.
"""
