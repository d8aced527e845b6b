"""HTTP goes through the public API of aiohttp alone, so that an update of it within a major version breaks nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import imageferry

ENGINE = Path(imageferry.__file__).parent
# A subclass of one of these depends on private parts of aiohttp.
CLASSES = {
    "ClientSession",
    "ClientRequest",
    "ClientResponse",
    "StreamWriter",
    "StreamReader",
    "TCPConnector",
    "BaseConnector",
    "FormData",
}


def _offences(source: str) -> list[str]:
    """Return private names of aiohttp that `source` imports or reads, and its subclasses of aiohttp's classes."""
    tree, found = ast.parse(source), list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.split(".")[0] == "aiohttp":
            found += [f"module {node.module}"] if "." in node.module else []
            found += [f"import of {alias.name}" for alias in node.names if alias.name.startswith("_")]
        elif isinstance(node, ast.Import):
            found += [f"module {alias.name}" for alias in node.names if alias.name.startswith("aiohttp.")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            found += [] if own else [f"attribute {ast.unparse(node)}"]
        elif isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).removeprefix("aiohttp.") for base in node.bases}
            found += [f"class {node.name}"] if bases & CLASSES else []
    return found


def test_the_engine_uses_public_names_of_aiohttp_only() -> None:
    """No private attribute of another object, no submodule, no subclass, in any module that imports aiohttp."""
    seen = 0
    for path in sorted(ENGINE.rglob("*.py")):
        source = path.read_text("utf-8")
        if "jobs" in path.relative_to(ENGINE).parts or "import aiohttp" not in source.replace(
            "from aiohttp", "import aiohttp"
        ):
            continue
        seen += 1
        assert _offences(source) == [], path
    assert seen >= 2


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\nasync def f(response: aiohttp.ClientResponse) -> None: response._connection.close()",
        "import aiohttp\nclass Mine(aiohttp.ClientRequest): ...",
        "from aiohttp import TCPConnector\nclass Mine(TCPConnector): ...",
        "from aiohttp.client_reqrep import ClientRequest",
        "import aiohttp.http_writer",
    ],
)
def test_a_private_name_is_found(source: str) -> None:
    """Each way to depend on aiohttp's private parts is an offence."""
    assert len(_offences(source)) == 1
