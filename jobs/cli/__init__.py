"""The command line: flags, settings from flags and environment, confirmation, signals, and the commands.

Touches argv and the environment. Imports `imageferry.jobs.output` and the engine's public names.
"""
