"""Warning about truncated local images, once per run. Pure.

They are uploaded nevertheless: the store may show the part that is there, and a file that has always been truncated
must not stop a migration.
"""

from __future__ import annotations

from ..text import quoted

MOST_NAMES = 65_536
"""Maximum number of names kept; more are reported as "over"."""
_NAMED = 5
_TO_DO = "The store may refuse a truncated image or show a part of it. Copy the file again from its source."


class TruncatedFiles:
    """Names of truncated files, in the order found."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._more = False

    def add(self, image_file: str) -> None:
        """Add a name; adding it again has no effect."""
        if len(self._names) < MOST_NAMES:
            self._names[image_file] = None
        else:
            self._more = self._more or image_file not in self._names

    def warnings(self) -> list[str]:
        """Return one sentence with the number and the first names, empty without any."""
        names = list(self._names)
        if not names:
            return []
        shown = ", ".join(quoted(name) for name in names[:_NAMED])
        if len(names) == 1:
            return [f"1 local image is truncated: {shown}. {_TO_DO}"]
        count = f"{'over ' if self._more else ''}{len(names):,}"
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        return [f"{count} local images are truncated: {shown}{more}. {_TO_DO}"]
