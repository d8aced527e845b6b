"""Versions of the store's API: building a request and reading a response.

Pure: sends nothing.
Imports the loose modules of `imageferry.core` only.
"""
