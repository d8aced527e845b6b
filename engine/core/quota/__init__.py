"""When to send, how many at once, and what to do after a response: rate limit, concurrency, retry, outage.

Pure: the time is an argument. Imports the values of `imageferry.core` only.
"""
