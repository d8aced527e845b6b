"""Rate limit, concurrency, retry and outage.

When to send, how many at once, and what to do next.

Pure: time and randomness are arguments.
Imports the loose modules of `imageferry.core` only.
"""
