"""The public functions: plan, apply, migrate, sync, verify, export, undo, status.

Each composes stages of `imageferry.runs`; nothing here opens a file or a connection itself.
"""
