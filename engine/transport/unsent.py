"""A call that was cancelled before anything of it was on the wire: what was only intended has not happened."""

from __future__ import annotations

import asyncio


class NotSent(asyncio.CancelledError):  # a cancellation, and no error
    """The cancellation of a call that never left, or of which each sending was answered with "not done"."""
