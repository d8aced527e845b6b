"""One call and what is around it."""
