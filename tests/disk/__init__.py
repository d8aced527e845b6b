"""Files, lock, journal, checkpoint."""
