"""The manifest's rules."""
