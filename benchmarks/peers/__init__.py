"""What people would otherwise use, each at its best settings. One process runs one peer: `python -m benchmarks.peers`.

All do the same calls as imageferry: each product is listed, then its images are created. None has a manifest to check, a plan, a
journal or a way to go on after a crash; they only do the calls. Calls may go in any order, which is more than imageferry allows itself.
"""
