"""The record of a run: its events, the states they lead to, the ledger, and the replay of a journal.

Pure. Imports the values of `imageferry.core` only; the files are in `imageferry.disk`.
"""
