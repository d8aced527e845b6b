"""The manifest's rules: fields, JSON Lines, CSV rows, the errors found, and the selection of products.

Pure. Imports the values of `engine.core` only; the files are read in `engine.disk.manifest`.
"""
