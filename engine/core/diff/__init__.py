"""One product: compares wanted, stored and remembered images, and returns the fewest changes.

Pure. Imports the values of `imageferry.core` only.
"""
