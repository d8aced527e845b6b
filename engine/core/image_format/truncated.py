"""Local pictures that were cut off: a warning of a run, said once however often they are looked at. Pure.

They are uploaded all the same: whether a store shows the part that is there is its own affair, and a picture that has always been
so must not stop a migration.
"""

from __future__ import annotations

from ..text import quoted

MOST_NAMES = 65_536
"""How many are told apart; beyond that it is said that there are more."""
_NAMED = 5
_TO_DO = "A store may refuse what was cut off, or show the part that is there: copy it again from where it came from."


class CutFiles:
    """The names of those that were seen, in the order in which they were."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._more = False

    def add(self, image_file: str) -> None:
        """Take note of one."""
        if len(self._names) < MOST_NAMES:
            self._names[image_file] = None
        else:
            self._more = self._more or image_file not in self._names

    def told(self) -> list[str]:
        """One sentence that counts them and names the first, or nothing where there are none."""
        names = list(self._names)
        if not names:
            return []
        shown = ", ".join(quoted(name) for name in names[:_NAMED])
        if len(names) == 1:
            return [f"the file of 1 local picture ends before the picture does: {shown}. {_TO_DO}"]
        count = f"{'over ' if self._more else ''}{len(names):,}"
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        return [f"the files of {count} local pictures end before the pictures do: {shown}{more}. {_TO_DO}"]
