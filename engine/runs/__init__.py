"""A run: opens its parts, plans, applies, resumes and finishes. All waiting of a run happens here.

Touches the world through `imageferry.transport`, `imageferry.disk` and `imageferry.images` only.
"""
