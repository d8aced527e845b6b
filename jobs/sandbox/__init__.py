"""A BigCommerce-compatible store on loopback: a witness that shares no code with the engine and imports nothing from it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config
    from .faults import Fault
    from .server.app import Sandbox, running

__all__ = ["Config", "Fault", "Sandbox", "running"]

_HOMES = {"Config": "config", "Fault": "faults", "Sandbox": "server.app", "running": "server.app"}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that a command line may look at this package for nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
