"""The sandbox as a command: what it prints, how it ends, what its help says, what it loads."""

import argparse
import ast
import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

import imageferry.jobs.sandbox
from imageferry.jobs.sandbox.cli import add_arguments, configured
from imageferry.jobs.sandbox.config import FIXED, Config, switches

ROOM = Path(imageferry.jobs.sandbox.__file__).parent


def exists(path):
    return Path(path).exists()


async def started(*flags):
    command = [sys.executable, "-m", "imageferry.jobs.sandbox", *flags]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_line_is_json_and_a_signal_ends_it_quietly(word, tmp_path):
    """Exit code 0, nothing more said, the state kept."""
    process = await started(
        "--products", "250000", "--images", "4", "--state", str(tmp_path / "state"), "--store-hash", "abc"
    )
    address = json.loads(await process.stdout.readline())
    assert address.keys() == {"api_url", "store_hash", "access_token", "import_folder", "storefront_url"}
    assert address["store_hash"] == "abc"
    process.send_signal(word)
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
    assert (tmp_path / "state").exists()
    assert not exists(address["import_folder"])


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--fault", "nonsense"], 2),
        (["--quota", "-1"], 2),
        (["--renumber", "sometimes"], 2),
        (["--manifest", "/dev/null/missing"], 2),
        (["--state", "/dev/null/missing"], 6),
        (["--manifest", str(Path(__file__))], 2),
    ],
    ids=["fault", "quota", "choice", "no manifest", "no state", "no JSON"],
)
async def test_what_cannot_be_served_is_said_in_a_line(flags, code):
    """Without a traceback, with the exit code of its kind."""
    process = await started(*flags)
    out, said = await process.communicate()
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in said
    assert said.strip()


async def test_a_port_that_is_taken_is_said():
    """The other store goes on."""
    first = await started()
    port = json.loads(await first.stdout.readline())["api_url"].rpartition(":")[2]
    second = await started("--port", port)
    _, said = await second.communicate()
    assert (second.returncode, b"in use" in said) == (2, True)
    first.terminate()
    await first.communicate()


def parser():
    made = argparse.ArgumentParser(prog="sandbox")
    add_arguments(made)
    return made


def test_the_help_says_first_what_is_not_reproduced():
    """Before anything else that it says."""
    _, _, text = parser().format_help().partition("\n\n")
    assert text.startswith("Not reproduced by this store:")


def test_every_switch_has_a_flag_and_a_meaning():
    """No switch without help; every flag lands in the configuration."""
    made = parser()
    assert all(each.text for each in switches())
    assert configured(made.parse_args([])) == Config()
    words = [
        "--quota",
        "none",
        "--no-fetch",
        "--renumber",
        "none",
        "--latency",
        "0.5",
        "--state",
        "x",
        "--fault",
        "locked",
    ]
    config = configured(made.parse_args(words))
    assert (config.quota, config.fetch, config.renumber, config.latency) == (None, False, "none", 0.5)
    assert (config.state, config.faults[0].kind) == (Path("x"), "locked")
    assert {each.name for each in switches()} | {"faults"} >= FIXED


def test_looking_at_the_flags_loads_no_server():
    """Help is quick."""
    code = "import sys, argparse, imageferry.jobs.sandbox.cli as c; c.add_arguments(argparse.ArgumentParser()); print(*sys.modules)"
    import subprocess

    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"aiohttp", "PIL", "orjson"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name.split(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= len(path.relative_to(ROOM).parts), f"{path.name} imports from outside the sandbox"
            if not node.level:
                yield node.module.split(".")[0]


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.py")), ids=lambda path: path.relative_to(ROOM).as_posix())
def test_the_witness_shares_no_code_with_the_engine(path):
    """Only the standard library, aiohttp, orjson and Pillow."""
    assert set(imported(path)) <= sys.stdlib_module_names | {"aiohttp", "orjson", "PIL"}


PURE = [
    "api/messages", "api/serializers", "api/v2", "api/validation", "config", "faults", "shop/catalog", "shop/file_names",
    "shop/picture_kind", "shop/rules", "traffic/rate_limit",
]  # fmt: skip


@pytest.mark.parametrize("name", PURE)
def test_the_rules_know_no_clock_no_socket_and_no_loop(name):
    """Time comes as an argument."""
    assert not set(imported(ROOM / f"{name}.py")) & {"time", "asyncio", "socket", "aiohttp", "PIL", "os", "secrets"}
