"""`imageferry bench`: what its figures mean, what it prints, and that each scenario plays to its end at a tiny size. No time is asserted."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.bench import catalogue, cli, play, table
from jobs.bench.scenarios import NAMES, SCENARIOS
from jobs.bench.stage import Measured, Usage, measured, stage
from jobs.bench.verdict import bound, quota_of, result_of

pytestmark = pytest.mark.timeout(180)  # each starts processes of its own, and other tests run beside them
ROOT = Path(__file__).parents[2]
TINY = {"products": 4, "images": 2, "latency": 0.0}


def bench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BIGCOMMERCE_")}
    command = [sys.executable, "-m", "jobs.bench", *words]
    return subprocess.run(command, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, check=False)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(words)


def usage(at: float, taken: int, refused: int = 0, other: int = 0, other_refused: int = 0) -> Usage:
    return Usage(at, taken, refused, other, other_refused)


def told(**more: object) -> dict[str, object]:
    usual = {"requests": 100, "wall": 10.0, "cpu": 1.0, "throttled": 0, "retried": 0, "adopted": 0, "in_flight": 4.0}
    return usual | {"idle": 0.0, "latency": {"listing": 0.1, "applying": 0.1}, "quota": None} | more


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_plays_to_its_end_and_tells_all_its_figures(scenario: object) -> None:
    """Store and run in processes of their own, verified before anything is told."""
    result = play.play(replace(scenario, **TINY))  # type: ignore[type-var]
    assert {name for _, name, _ in table.COLUMNS} <= result.keys()
    assert result["calls"] > 0
    assert result["peak_mib"] > 5
    assert result["changes"] == (0 if result["name"] == "noop" else result["changes"])


def test_a_plan_tells_exactly_the_calls_that_are_sent() -> None:
    """The mixed scenario has an update, a create, a delete, a new order and a new thumbnail."""
    mixed = next(each for each in SCENARIOS if each.name == "mixed")
    result = play.play(replace(mixed, products=60, images=4))
    assert result["planned"] == result["calls"]


def test_the_share_of_the_quota_is_taken_over_whole_windows_only() -> None:
    """Neither the window in which the run began nor the one in which it ended counts, and others' calls are part of what is used."""
    readings = [
        usage(0.1, 5),
        usage(1, 10, other=2),
        usage(2, 18, other=4),
        usage(3, 26, 2, 6, 1),
        usage(3.2, 30, 2, 7, 1),
    ]
    quota = quota_of(readings, 10, ended=3.1)
    assert (quota.used, quota.windows) == (1.0, 2)
    assert (quota.throttled, quota.other_calls, quota.other_refused) == (2, 8, 1)


@pytest.mark.parametrize(
    ("readings", "limit"),
    [
        pytest.param([usage(0, 0), usage(0.5, 9)], 10, id="shorter than a window"),
        pytest.param([usage(0, 0), usage(1, 5), usage(2, 9), usage(2.5, 9)], None, id="no quota"),
    ],
)
def test_where_no_window_was_whole_no_share_is_told(readings: list[Usage], limit: int | None) -> None:
    """Better no figure than one of half a window."""
    assert quota_of(readings, limit, ended=9.0).used is None


@pytest.mark.parametrize(
    ("run", "result", "answer"),
    [
        pytest.param(told(), {"quota_used": 0.99}, "quota", id="quota spent"),
        pytest.param(told(cpu=9.0), {}, "processor", id="processor"),
        pytest.param(told(), {"store_cpu_share": 0.9}, "processor (the sandbox's)", id="sandbox"),
        pytest.param(told(latency={"listing": 0.1, "applying": 0.9}), {}, "source", id="slow pictures"),
        pytest.param(told(retried=5, idle=0.6), {}, "latency (waiting before another try)", id="faults"),
        pytest.param(told(), {}, "latency", id="latency"),
    ],
)
def test_what_bound_a_run_is_told(run: dict[str, object], result: dict[str, object], answer: str) -> None:
    """One answer, the one that its owner would have to change."""
    figures = result_of(Measured(run, 1.0, 1 << 25), quota_of([usage(0, 0), usage(1, 1)], None, 1.0), 50) | result
    assert bound(run, figures) == answer


def test_flags_change_the_scenarios_and_their_description() -> None:
    """What was changed must not go under the old words."""
    scenarios = cli.chosen(parsed("--scenario", "quota", "--quota", "none", "--latency", "0.5", "--products", "7"))
    assert [(each.name, each.quota, each.latency, each.products) for each in scenarios] == [("quota", None, 0.5, 7)]
    assert scenarios[0].about.endswith("(but latency 0.5, quota None)")
    assert [each.name for each in cli.chosen(parsed())] == list(NAMES)


@pytest.mark.parametrize(
    "words", [("--products", "0"), ("--quota", "many"), ("--latency", "nan"), ("--scenario", "no")], ids=" ".join
)
def test_flags_that_make_no_sense_are_refused(words: tuple[str, ...]) -> None:
    """Exit code 2, as everywhere."""
    assert bench(*words).returncode == 2


def test_the_table_goes_out_and_json_is_one_object() -> None:
    """Data on standard output, all else on standard error."""
    words = ("--scenario", "cold", "--products", "3", "--images", "1")
    plain, data = bench(*words), bench(*words, "--json")
    assert plain.returncode == data.returncode == 0, plain.stderr + data.stderr
    assert plain.stdout.startswith("scenario")
    (line,) = data.stdout.splitlines()
    result = json.loads(line)
    assert result["command"] == "bench"
    assert result["scenarios"][0]["changes"] == 3
    assert result["machine"]["python"]


def test_compare_gives_ratios_to_an_earlier_result_of_the_same_size(tmp_path: Path) -> None:
    """Another size or an unknown scenario is named, not compared."""
    now = {
        "name": "cold",
        "products": 3,
        "images": 1,
        "latency": 0.0,
        "quota": None,
        "seconds": 1.0,
        "calls": 10,
        "peak_mib": None,
    }
    ratios = table.compare(
        [now, now | {"name": "quota"}, now | {"name": "noop"}],
        [now | {"seconds": 4.0}, now | {"name": "noop", "images": 2}],
    )
    assert (ratios[0]["seconds"], ratios[0]["calls"], ratios[0]["peak_mib"]) == (0.25, 1.0, None)
    assert [each.get("why") for each in ratios] == [
        None,
        "not in the earlier result",
        "of another size in the earlier result",
    ]
    assert any("0.25" in line for line in table.ratio_lines(ratios))
    broken = tmp_path / "broken.json"
    broken.write_text("{}\n")
    refused = bench("--scenario", "cold", "--compare", str(broken))
    assert (refused.returncode, refused.stdout) == (2, "")


def test_a_run_that_went_wrong_gives_no_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store that takes nothing: the others' figures are still given, and the exit code is 1."""
    refusing = replace(
        SCENARIOS[0],
        name="cold",
        products=2,
        images=1,
        faults=({"kind": "failed_before", "share": 1.0, "status": 403},),
    )
    monkeypatch.setattr(cli, "SCENARIOS", (refusing,))
    assert cli.run(parsed("--scenario", "cold")) == 1
    shown = capsys.readouterr()
    assert "no figures: cold" in shown.err
    assert "cold" not in shown.out


def test_a_real_store_is_listed_and_never_written_to() -> None:
    """The sandbox plays the real store; its log has nothing but GET."""
    with stage("--products", "9", "--images", "2", "--log") as store:
        access = store.access
        environment = {
            "BIGCOMMERCE_STORE_HASH": access["store_hash"],
            "BIGCOMMERCE_ACCESS_TOKEN": access["access_token"],
            "BIGCOMMERCE_API_URL": access["api_url"],
        }
        done = bench("--store", "--products", "5", "--json", **environment)
        assert done.returncode == 0, done.stderr
        calls = [json.loads(line) for line in store.call("/_sandbox/log").splitlines()]
    assert {call["method"] for call in calls} == {"GET"}
    assert "nothing is written" in done.stderr
    result = json.loads(done.stdout)["scenarios"][0]
    assert (result["name"], result["changes"]) == ("store", 0)


def test_without_a_store_in_the_environment_the_settings_are_blamed() -> None:
    """Exit code 2 and the variable's name."""
    refused = bench("--store")
    assert refused.returncode == 2
    assert "BIGCOMMERCE_STORE_HASH" in refused.stderr


def test_the_token_is_not_in_the_arguments_of_what_is_measured() -> None:
    """A process list shows arguments to everybody; the task goes by standard input."""
    with stage("--products", "1") as store:
        run = measured(
            {"verb": "verify", "access": store.access | {"access_token": "wrong"}, "manifest": "no-such-file"}
        )
    assert run.told["kind"] == "ManifestError"
    assert "wrong" not in json.dumps(run.told)


def test_the_changed_catalogue_has_every_kind_of_change_and_is_the_same_each_time() -> None:
    """Otherwise the mixed scenario would be a different one from day to day."""
    rows, before = list(catalogue.changed(200, 4)), list(catalogue.filling(200, 4))
    assert rows == list(catalogue.changed(200, 4))
    touched = [row for row, was in zip(rows, before, strict=True) if row != was]
    assert {len(row["images"]) for row in touched} == {3, 4, 5}
    assert 0.2 < len(touched) / len(rows) < 0.4


def test_help_names_every_scenario_and_loads_no_engine() -> None:
    """The command's own help costs next to nothing."""
    code = "import sys, argparse; from jobs.bench.cli import add_arguments; p = argparse.ArgumentParser(); add_arguments(p); p.format_help();"
    code += "print([m for m in ('engine', 'aiohttp', 'anyio', 'asyncio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    text = " ".join(bench("--help").stdout.split())
    assert all(name in text for name in NAMES)
