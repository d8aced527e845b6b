"""Why a command does not go on with an unfinished run: what they differ in, in a person's words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .batch import Header


def unlike(former_command: str, former: Header, command: str, asked: Header | None) -> str:
    """What the unfinished run was for and this one is not; empty where one goes on with the other.

    `asked`: None for who brings a plan of its own (apply), which differs as a whole.
    """
    if former_command != command:
        return f"it was `{former_command}`, this is `{command}`"
    if asked is None:
        return "it carries out another plan"
    parts = []
    if former.digest != asked.digest:
        parts.append(_inputs(former, asked))
    if former.selection != asked.selection and asked.mode == "undo":
        parts.append("only one of the two was given --allow-loss")
    elif former.selection != asked.selection:
        parts.append(f"it was for {_part(former.selection)}, this is for {_part(asked.selection)}")
    return ", and ".join(parts)


def _inputs(former: Header, asked: Header) -> str:
    if asked.mode == "undo":
        return "it takes another run back"
    if former.manifest != asked.manifest:
        return f"its manifest is {former.manifest}"
    return "the manifest has been changed since"


def _part(selection: str) -> str:
    """`--limit 5`, or `--only 3,7 --limit 5`, as the header of a plan keeps them."""
    if not selection:
        return "the whole manifest"
    words = selection.split(" ")
    pairs = zip(words[::2], words[1::2], strict=False)
    return " ".join(f"--{name} {value if len(value) <= 60 else value[:59] + '…'}" for name, value in pairs)
