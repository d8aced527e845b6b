"""The manifest's rules: fields, JSON Lines, CSV rows, the errors found, and the selection of products.

Pure. Imports the values of `imageferry.core` only; the files are read in `imageferry.disk.manifest`.
"""
