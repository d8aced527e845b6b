"""The machine that carries product images into a store; what it offers is listed in `__all__`."""
