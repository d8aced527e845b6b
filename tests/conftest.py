"""Fixtures that every test may use."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The engine runs on asyncio, since aiohttp does."""
    return "asyncio"
