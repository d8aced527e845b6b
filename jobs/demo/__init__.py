"""`imageferry demo`: a sandbox, a made-up catalog, and a plan and migration against it.

Touches a temporary folder and loopback sockets. Imports `jobs.cli`, `jobs.output` and `jobs.sandbox`.
"""
