"""Image files of the store.

Downloads for export and backup, and backup folders.

Touches the disk through `imageferry.disk` and the network through a fetch function.
Imports `imageferry.core`, `imageferry.disk`, `imageferry.transport` and `imageferry.progress`.
"""
