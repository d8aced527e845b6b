"""Rate limit, concurrency, retry, outage."""
