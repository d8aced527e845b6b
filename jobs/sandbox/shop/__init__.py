"""The store's state and rules: products, images, file names, renumbering, pictures.

Pure but for picture bytes. Imports the sandbox's config only; nothing of the engine.
"""
