"""What an image file is, by its bytes: the kind, a sound header, and an end that is there.

Pure: asks for bytes through a function it is given. Imports the values of `imageferry.core` only.
"""
