"""The disk: the file system, lock, journal, plan file, checkpoint file, and sorting of what does not fit in memory.

Touches files. Imports `imageferry.core`.
"""
