"""Applying one product's plan."""
