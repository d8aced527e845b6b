"""How a store is spoken to, one file an API version: alone they know paths, JSON and error texts."""
