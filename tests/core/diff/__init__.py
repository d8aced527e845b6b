"""Comparing one product."""
