"""Image files: checks of local ones, downloads for CSV URLs and backups.

Touches files and, through the fetch seam, the network. Imports `imageferry.disk` and `imageferry.core`.
"""
