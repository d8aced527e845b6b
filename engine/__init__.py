"""Carries product images in bulk into a BigCommerce store. What is named in `__all__` is the whole public face.

    access = engine.Access(store_hash, access_token)
    report = await engine.migrate(access, "products.jsonl")

Everything is loaded when it is first asked for (PEP 562), so `engine.core` can be used without any network library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .commands import apply, migrate, sync
    from .core.errors import FerryError, ManifestError, UnsafePlanError
    from .core.guards import MaxDeletes
    from .core.report import Failure, Report
    from .exporter import export
    from .options import Access, Options
    from .progress import Progress, Stop
    from .proposals import plan, review, verify
    from .standing import status
    from .steps import Proposal
    from .undoing import undo

_HOMES = {
    "Access": "options",
    "Failure": "core.report",
    "FerryError": "core.errors",
    "ManifestError": "core.errors",
    "MaxDeletes": "core.guards",
    "Options": "options",
    "Progress": "progress",
    "Proposal": "steps",
    "Report": "core.report",
    "Stop": "progress",
    "UnsafePlanError": "core.errors",
    "apply": "commands",
    "export": "exporter",
    "migrate": "commands",
    "plan": "proposals",
    "review": "proposals",
    "status": "standing",
    "sync": "commands",
    "undo": "undoing",
    "verify": "proposals",
}

__all__ = [
    "Access",
    "Failure",
    "FerryError",
    "ManifestError",
    "MaxDeletes",
    "Options",
    "Progress",
    "Proposal",
    "Report",
    "Stop",
    "UnsafePlanError",
    "apply",
    "export",
    "migrate",
    "plan",
    "review",
    "status",
    "sync",
    "undo",
    "verify",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)

    globals()[name] = value
    return value
