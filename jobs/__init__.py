"""What one runs: argv, environment, files and terminal live here and nowhere else."""

__version__ = "0.1.0"
"""The one place where the version is written; pyproject.toml reads it here."""
