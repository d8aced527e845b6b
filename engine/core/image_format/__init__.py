"""Image file formats: kind, valid header and complete end, from the bytes.

Pure: reads bytes through a function argument.
Imports the loose modules of `imageferry.core` only.
"""
