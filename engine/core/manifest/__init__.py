"""The manifest: rules for fields, JSON Lines and CSV, its errors, and the selection of products.

Pure: takes lines, returns products or errors; files are read in `imageferry.disk.manifest`.
Imports the loose modules of `imageferry.core` only.
"""
