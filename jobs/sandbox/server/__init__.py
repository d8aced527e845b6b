"""The sandbox's server: sockets, control calls, web pages, fetched pictures, the state file.

Touches sockets and files. Imports the other sandbox packages; nothing of the engine.
"""
