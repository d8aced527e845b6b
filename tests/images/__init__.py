"""Downloads and backups."""
