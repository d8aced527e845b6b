"""What a person or a script reads: console, texts of runs and plans, JSON, live progress.

Touches the terminal. Imports `imageferry.jobs.exit_codes` and the engine's public names.
"""
