"""Reading and writing manifests: opens the source, checks and sorts its lines, writes exports and failed products.

Touches files. Imports `imageferry.core` and `imageferry.disk`.
"""
