"""`imageferry demo`: a sandbox, a made-up catalog, and a plan and migration against it.

Touches a temporary folder and loopback sockets. Imports `imageferry.jobs.cli`, `imageferry.jobs.output` and `imageferry.jobs.sandbox`.
"""
