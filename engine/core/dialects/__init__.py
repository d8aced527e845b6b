"""The store's API versions: how a request is built and a response is read, behind one protocol.

Pure. Imports the values of `imageferry.core` only; sends nothing.
"""
