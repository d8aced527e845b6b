"""A run: opens its parts, plans, applies, resumes and finishes. All waiting of a run happens here.

Touches the world through `engine.transport`, `engine.disk` and `engine.images` only.
"""
