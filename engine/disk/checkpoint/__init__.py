"""The checkpoint on disk: the file itself, the journal of an open run, learned identities, the files beside it.

Touches files. Imports `imageferry.core` and `imageferry.disk`.
"""
