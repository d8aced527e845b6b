"""Plans and guards."""
