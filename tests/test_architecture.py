"""The architecture: what each package may import, what the core may touch, how large a module may grow."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("engine/**/*.py"), *ROOT.glob("jobs/**/*.py")])
LONGEST_MODULE = 300
LONGEST_FUNCTION = 45
MOST_FILES = 12

MAY_IMPORT = {
    "engine": {"engine.verbs"},
    "engine.__main__": {"jobs"},
    "engine.verbs": {"engine.runs"},
    "engine.runs": {"engine.images", "engine.disk", "engine.transport", "engine.options", "engine.progress"},
    "engine.images": {"engine.disk", "engine.transport", "engine.progress"},
    "engine.disk": {"engine.core", "engine.clock"},
    "engine.transport": {"engine.core", "engine.clock"},
    "engine.options": {"engine.core"},
    "engine.progress": {"engine.core"},
    "engine.clock": set(),
    "engine.core": set(),
}
"""A package may import what stands behind its colon, and what that may import. Nothing else."""
CORE = {
    "reconcile": {"plan"},
    "undo": {"plan"},
    "plan": {"diff", "checkpoint"},
    "checkpoint": set(),
    "diff": set(),
    "dialects": set(),
    "image_format": set(),
    "manifest": set(),
    "quota": set(),
}
"""The same within the core; the values beside these packages import none of them."""
JOBS = {
    "__main__": {"bench", "demo", "sandbox"},
    "__init__": set(),
    "bench": {"cli"},
    "demo": {"cli", "sandbox"},
    "cli": {"output"},
    "output": {"exit_codes"},
    "exit_codes": set(),
    "sandbox": set(),
}
SANDBOX = {"server": {"traffic"}, "traffic": {"api"}, "api": {"shop"}, "shop": set()}
ENGINE_FOR_JOBS = {
    "jobs/": ("imageferry", "imageferry.core", "imageferry.clock"),
    "jobs/bench/measure/": ("imageferry.transport", "imageferry.verbs", "imageferry.runs.context"),
}
"""What jobs may import of the engine: public names and the core's values; the measured process loads more on purpose."""
LIBRARIES = {
    "aiohttp": (
        "engine/transport/session.py",
        "engine/transport/bounds.py",
        "engine/images/fetch.py",
        "jobs/sandbox/",
        "jobs/demo/",
        "jobs/bench/",
    ),
    "aiolimiter": ("engine/transport/admission.py",),
    "filelock": ("engine/disk/filesystem.py",),
    "psutil": ("engine/disk/processes.py",),
    "rich": ("jobs/",),
    "PIL": ("jobs/",),
}
PURE = {
    "__future__", "array", "base64", "bisect", "collections", "csv", "dataclasses", "email.utils", "enum", "functools", "gzip", "hashlib", "heapq",
    "html", "itertools", "json", "math", "re", "string", "typing", "unicodedata", "urllib.parse", "zlib", "orjson", "pathlib.PurePath",
    "pathlib.PurePosixPath", "operator",
}  # fmt: skip
"""What the core may import beside itself."""
TOUCHES = {"open", "print", "input", "exec", "eval", "breakpoint", "__import__", "compile", "id", "hash"}
CLOCKS = {"now", "today", "utcnow", "monotonic", "time", "perf_counter", "getrandbits", "shuffle"}
QUESTIONS = ("What", "Whether", "How", "Who", "Where", "Why")
OLD_WORDS = {
    "barred", "bereft", "bystander", "bystanders", "course", "crew", "doubted", "doubtful", "errand", "ferry", "flights", "former", "gate",
    "glance", "intake", "lessons", "memories", "memory", "mend", "mended", "newcomer", "newcomers", "seams", "spill", "standing",
    "stranger", "strangers", "telling", "tools", "turnstile", "twin", "twins", "wire",
}  # fmt: skip
"""Private metaphors of earlier versions: no identifier, and no part of one between underscores, is one of them."""
OLD_CLASSES = {
    "Answer", "Batch", "Bench", "Course", "Drained", "End", "Former", "Gate", "Kept", "Memory", "Origin", "Others", "Patience", "Present", "Reading",
    "Resent", "Seen", "SetAside", "Sight", "Sighting", "Survey", "TakenBack", "Tools", "Unfinished", "Watched", "Wire", "Writes",
}  # fmt: skip
PROSE_PENDING: set[str] = {
    "engine",
    "engine/core/checkpoint",
    "engine/core/plan",
    "engine/core/undo",
    "engine/disk",
    "engine/disk/checkpoint",
    "engine/disk/manifest",
    "engine/transport",
    "engine/verbs",
    "jobs",
    "jobs/bench",
    "jobs/bench/measure",
    "jobs/cli",
    "jobs/demo",
    "jobs/output",
    "jobs/sandbox",
    "jobs/sandbox/api",
    "jobs/sandbox/server",
    "jobs/sandbox/shop",
    "jobs/sandbox/traffic",
}
WORDS_PENDING: set[str] = {
    "engine/core/checkpoint",
    "engine/core/plan",
    "engine/core/reconcile",
    "engine/core/undo",
    "engine/disk/checkpoint",
    "engine/disk/manifest",
    "engine/runs",
    "engine/runs/product",
    "engine/transport",
    "engine/verbs",
    "jobs/bench",
    "jobs/bench/measure",
    "jobs/cli",
    "jobs/output",
    "jobs/sandbox/traffic",
}
"""Folders whose docstrings or names are being rewritten."""


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    return place(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def in_tree(name: str) -> str:
    """The import name as a place in the tree: imageferry.jobs is jobs/, imageferry is engine/."""
    if name.startswith("imageferry.jobs"):
        return name.removeprefix("imageferry.")
    return "engine" + name.removeprefix("imageferry") if name.split(".", maxsplit=1)[0] == "imageferry" else name


def type_only(tree: ast.Module) -> set[int]:
    """The nodes that only a type checker sees."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    return {id(inner) for block in blocks for statement in block.body for inner in ast.walk(statement)}


def imports(path: Path, *, types: bool = True) -> Iterator[str]:
    """Each module that a file imports, and each name where that is no module of ours, wherever in the file it does so."""
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])
    tree = ast.parse(path.read_text())
    hidden = set() if types else type_only(tree)
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (in_tree(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = in_tree(".".join([*base, *(node.module.split(".") if node.module else [])]))
            for alias in node.names:
                longer = ROOT.joinpath(*stem.split("."), alias.name)
                is_ours = longer.with_suffix(".py").exists() or longer.is_dir()
                yield f"{stem}.{alias.name}" if is_ours or stem.split(".")[0] not in {"engine", "jobs"} else stem


def reachable(table: dict[str, set[str]], start: str) -> set[str]:
    """What a package may import: its arrows followed to their ends."""
    reached, left = {start}, [start]
    while left:
        for other in table.get(left.pop(), set()) - reached:
            reached.add(other)
            left.append(other)
    return reached


@pytest.mark.parametrize("path", sorted(ROOT.glob("engine/**/*.py")), ids=place)
def test_imports_run_one_way_between_the_packages_of_the_engine(path: Path) -> None:
    """Types count as well: whoever names another package's type depends on it."""
    own = ".".join(dotted(path).split(".")[:2])
    for name in imports(path):
        if name.split(".")[0] in {"engine", "jobs"}:
            package = ".".join(name.split(".")[:2]) if name.startswith("engine") else "jobs"
            assert package in reachable(MAY_IMPORT, own), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("engine/core/**/*.py")), ids=place)
def test_imports_run_one_way_within_the_core(path: Path) -> None:
    """Values below, packages that do not know each other, the plan above two of them, reconciling on top."""
    own = path.parent.name if path.parent.name != "core" else ""
    for name in imports(path):
        parts = name.split(".")
        if parts[:2] == ["engine", "core"] and len(parts) > 2 and (ROOT / "engine" / "core" / parts[2]).is_dir():
            assert parts[2] in reachable(CORE, own), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("jobs/**/*.py")), ids=place)
def test_imports_run_one_way_through_jobs(path: Path) -> None:
    """The command line above what it prints; the sandbox beside both, with its sockets above its rules."""
    parts = dotted(path).split(".")
    own = parts[1] if len(parts) > 1 else "__init__"
    for name in imports(path):
        other = name.split(".")
        if other[0] == "jobs" and len(other) > 1:
            assert other[1] in reachable(JOBS, own), f"{place(path)} imports {name}"
            inside = own == "sandbox" and len(parts) > 3 and len(other) > 3
            assert not inside or other[2] in reachable(SANDBOX, parts[2]), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("jobs/**/*.py")), ids=place)
def test_jobs_use_the_public_names_and_the_values_of_the_engine(path: Path) -> None:
    """How the engine sends and stores is its own affair; the sandbox, a witness, shares nothing with it at all."""
    allowed = tuple(name for home, names in ENGINE_FOR_JOBS.items() if place(path).startswith(home) for name in names)
    for name in imports(path):
        if name.split(".")[0] == "engine":
            spelled = "imageferry" + name.removeprefix("engine")
            fits = spelled == "imageferry" or any(f"{spelled}.".startswith(f"{each}.") for each in allowed[1:])
            assert fits, f"{place(path)} imports {spelled}"
            assert not place(path).startswith("jobs/sandbox/"), f"{place(path)} imports {spelled}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("engine/core/**/*.py")), ids=place)
def test_the_core_is_pure(path: Path) -> None:
    """No I/O, no clock, no chance, nothing that waits: only listed modules, and no call that opens, prints or asks the time."""
    tree = ast.parse(path.read_text())
    for name in imports(path, types=False):
        fits = name.startswith("engine.core") or any(f"{name}.".startswith(f"{each}.") for each in PURE)
        assert fits, f"{place(path)} imports {name}"
    for node in ast.walk(tree):
        waits = isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
        assert not waits, f"{place(path)}:{getattr(node, 'lineno', 0)} waits"
        if isinstance(node, ast.Name):
            assert node.id not in TOUCHES, f"{place(path)}:{node.lineno} uses {node.id}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in CLOCKS, f"{place(path)}:{node.lineno} calls {node.func.attr}"


def test_the_core_needs_no_library_but_orjson() -> None:
    """Everything that waits, draws or locks is blocked."""
    modules = ["imageferry" + dotted(path).removeprefix("engine") for path in ROOT.glob("engine/core/**/*.py")]
    blocked = "import sys; sys.modules.update(dict.fromkeys(['aiohttp', 'anyio', 'aiolimiter', 'filelock', 'psutil', 'rich', 'PIL']));"
    code = blocked + "".join(f"import {module};" for module in modules)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_each_library_is_imported_in_its_home_alone(path: Path) -> None:
    """One module knows the HTTP library, one the limiter, one the lock."""
    for name in imports(path):
        homes = LIBRARIES.get(name.split(".")[0])
        assert homes is None or place(path).startswith(homes), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_what_ships_imports_neither_tests_nor_benchmarks_nor_itself_by_folder(path: Path) -> None:
    """`engine` and `jobs` are folders; an installation has `imageferry` alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        assert not {name.split(".")[0] for name in names} & {"engine", "jobs", "tests", "benchmarks"}, place(path)


def test_nothing_imports_in_a_circle() -> None:
    """Within a package, too; imports for types are left out, since they do not run."""
    graph = {
        dotted(path): {n for n in imports(path, types=False) if n.startswith(("engine", "jobs"))} for path in MODULES
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module in done:
            return
        for other in graph.get(module, set()) - {module}:
            visit(other, (*way, module))
        done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_modules_and_functions_stay_small(path: Path) -> None:
    """Past these lengths a module or a function is split along a real seam."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{place(path)}:{node.lineno} {node.name} has {length} lines"


PACKAGES = sorted({path.parent for path in MODULES})


@pytest.mark.parametrize("folder", PACKAGES, ids=place)
def test_packages_stay_small_and_say_what_they_are_for(folder: Path) -> None:
    """A folder holds at most a dozen files, and a docstring that says what it is for and what it may touch."""
    assert len(list(folder.glob("*.py"))) <= MOST_FILES
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


def test_no_two_public_classes_share_a_name() -> None:
    """One word for one thing; engine and sandbox are two houses."""
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        house = "sandbox" if place(path).startswith("jobs/sandbox/") else "product"
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(f"{house} {node.name}", []).append(place(path))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each docstring, those of attributes included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def identifiers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each definition, parameter, variable, attribute and import."""
    for node in ast.walk(tree):
        for name in ("name", "id", "attr", "arg", "asname"):
            value = getattr(node, name, None)
            if isinstance(value, str):
                yield getattr(node, "lineno", 0), value


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_docstrings_state_and_do_not_ask(path: Path) -> None:
    """A first line begins with a verb or a noun, as in "Return the images that …"."""
    if place(path.parent) in PROSE_PENDING:
        return
    asking = [
        line
        for line, text in docstrings(ast.parse(path.read_text()))
        if text.split(maxsplit=1)[:1] and text.split()[0] in QUESTIONS
    ]
    assert not asking, f"{place(path)}: lines {asking}"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_names_are_the_words_of_the_field(path: Path) -> None:
    """Someone who knows rclone or Terraform can guess what a name stands for."""
    if place(path.parent) in WORDS_PENDING:
        return
    old = [
        f"{line}: {name}"
        for line, name in identifiers(ast.parse(path.read_text()))
        if OLD_WORDS & set(name.lower().split("_"))
    ]
    old += [
        f"{line}: {name}" for line, name in identifiers(ast.parse(path.read_text())) if name.lstrip("_") in OLD_CLASSES
    ]
    old += [part for part in path.relative_to(ROOT).with_suffix("").parts if part in OLD_WORDS | {"levels"}]
    assert not old, f"{place(path)}: {old}"


def test_every_package_is_installed() -> None:
    """pyproject.toml lists the packages, since their folders have other names; none may be forgotten."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    there = {
        ("imageferry." + dotted(f / "x.py").removesuffix(".x")).replace("imageferry.engine", "imageferry")
        for f in PACKAGES
    }
    assert listed == there


def test_type_checkers_see_every_module_under_its_import_name() -> None:
    """.types/imageferry links to what lies in engine/ and jobs/: mypy and pyright know no other way to map a folder."""
    shown = {link.name: (link.parent / os.readlink(link)).resolve() for link in (ROOT / ".types/imageferry").iterdir()}
    there = {
        p.name: p for p in (ROOT / "engine").iterdir() if p.suffix in {".py", ".typed"} or (p / "__init__.py").exists()
    }
    assert shown == {**there, "jobs": ROOT / "jobs"}


def test_every_public_name_is_there_and_documented() -> None:
    """Verbs and values, each with a docstring of its own."""
    import imageferry

    for name in imageferry.__all__:
        assert getattr(imageferry, name).__doc__, name
    with pytest.raises(AttributeError):
        imageferry.nothing  # noqa: B018


def test_the_top_level_holds_what_the_user_fixed_and_nothing_else() -> None:
    """Seven names, and dot files; git must have something to say about them."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    names = {line.split("/")[0] for line in listed if line and not line.startswith(".")}
    assert {"pyproject.toml", "README.md", "engine", "jobs", "tests", "benchmarks"} <= names
    assert names <= {"pyproject.toml", "README.md", "LICENSE", "engine", "jobs", "tests", "benchmarks", "findings"}
