"""The house itself: which room may import which, how large a room may grow, and what each library's home is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = sorted([*ROOT.glob("engine/**/*.py"), *ROOT.glob("jobs/**/*.py")])
LONGEST_ROOM = 400
LONGEST_FUNCTION = 45
HOMES = {
    "aiohttp": ("engine/transport/session.py", "engine/images/fetch.py", "jobs/sandbox/", "jobs/demo", "jobs/bench/"),
    "aiolimiter": ("engine/transport/client.py",),
    "filelock": ("engine/disk/filesystem.py",),
    "psutil": ("engine/disk/processes.py",),
    "rich": ("jobs/",),
    "PIL": ("jobs/",),
}
RANK = {
    "core": 0, "clock": 0, "processes": 1, "spill": 1, "progress": 1, "crew": 1, "replay": 1, "disk": 1, "wire": 1, "fetch": 2, "flights": 1, "turnstile": 1,
    "sources": 1, "intake_lines": 2, "backoff": 2, "journal": 2, "planfile": 2, "backup_index": 2, "backup": 3, "pictures": 2, "gate": 3, "intake": 3,
    "options": 3, "lessons": 3, "failed": 3, "lock": 4, "store": 4, "telling": 4, "checkpoint": 4, "tools": 5, "writes": 6, "looks": 6,
    "errand": 7, "survey": 7, "carry": 8, "ferry": 9, "exporter": 9, "standing": 9, "steps": 10, "commands": 11,
    "proposals": 11, "undoing": 11,
    "copies": 3, "undo_state": 5,
    "unsent": 0, "emptying": 6.5,
}  # fmt: skip


def imports(path: Path) -> list[str]:
    """The absolute names of the modules that a file imports, wherever it does so."""
    package = path.relative_to(ROOT).with_suffix("").parts[: -1 if path.name != "__init__.py" else None]
    package = package[:-1] if path.name == "__init__.py" else package
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            found.append(".".join((*base, *(node.module.split(".") if node.module else ()))))
    return found


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ROOMS, ids=place)
def test_each_library_is_imported_in_its_home_alone(path: Path) -> None:
    """One room knows the HTTP library, one the limiter, one the lock."""
    for name in imports(path):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or place(path).startswith(homes), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("engine/core/**/*.py")), ids=place)
def test_what_decides_imports_nothing_that_waits_or_touches_the_world(path: Path) -> None:
    """Core knows the standard library's pure parts, orjson, and itself."""
    forbidden = {"asyncio", "anyio", "os", "time", "socket", "threading", "subprocess", "tempfile", "shutil", "io"}
    for name in imports(path):
        assert name.split(".")[0] not in forbidden, f"{place(path)} imports {name}"
        assert not name.startswith("engine.") or name.startswith("engine.core"), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("engine/*.py")), ids=place)
def test_imports_run_one_way_through_the_engine(path: Path) -> None:
    """A room imports only rooms below it; a new room has to be given its place."""
    if path.stem == "__init__":
        return
    tree = ast.parse(path.read_text())
    typing_only = {id(n) for node in ast.walk(tree) if _is_typing_block(node) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and id(node) not in typing_only:
            other = (node.module or "").split(".")[0]
            assert RANK[other] < RANK[path.stem], f"{path.stem} imports {other}"


def _is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("path", sorted(ROOT.glob("jobs/sandbox/**/*.py")), ids=place)
def test_the_sandbox_shares_no_code_with_the_engine(path: Path) -> None:
    """A witness that knew the engine's mind would agree with its mistakes."""
    assert not [name for name in imports(path) if name.split(".")[0] == "engine"]


@pytest.mark.parametrize("path", ROOMS, ids=place)
def test_no_room_imports_tests_or_benchmarks(path: Path) -> None:
    """What ships knows nothing of what tries it."""
    assert not [name for name in imports(path) if name.split(".")[0] in {"tests", "benchmarks"}]


@pytest.mark.parametrize("path", ROOMS, ids=place)
def test_rooms_and_functions_stay_small_enough_to_be_read_at_a_glance(path: Path) -> None:
    """Past these lengths a room or a function is split along a real seam."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_ROOM
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{place(path)}:{node.lineno} {node.name} has {length} lines"


def test_core_can_be_imported_where_no_network_library_is_installed() -> None:
    """Blocked: aiohttp, anyio, aiolimiter."""
    modules = [
        place(path)[:-3].replace("/", ".") for path in ROOT.glob("engine/core/**/*.py") if path.stem != "__init__"
    ]
    blocked = "import sys; sys.modules.update(dict.fromkeys(['aiohttp', 'anyio', 'aiolimiter', 'rich', 'PIL']));"
    code = blocked + "".join(f"import {module};" for module in modules)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_public_name_is_there_and_documented() -> None:
    """About a dozen verbs and values, each with a docstring of its own."""
    import engine

    for name in engine.__all__:
        assert getattr(engine, name).__doc__, name
    with pytest.raises(AttributeError):
        engine.nothing  # noqa: B018


def test_the_top_level_holds_what_the_user_fixed_and_nothing_else() -> None:
    """Seven names, and dot files; git must have something to say about them."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    names = {line.split("/")[0] for line in tracked if line and not line.startswith(".")}
    assert {"pyproject.toml", "README.md", "engine", "jobs", "tests", "benchmarks"} <= names
    assert names <= {"pyproject.toml", "README.md", "engine", "jobs", "tests", "benchmarks", "findings"}
