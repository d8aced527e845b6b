"""One product: compares wanted, stored and known images and returns the fewest changes.

Pure: no I/O, no clock. Imports the loose modules of `imageferry.core` only.
"""
