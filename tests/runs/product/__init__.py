"""One product carried out."""
