"""`imageferry bench`: what its figures mean, what it prints, and that each scenario plays to its end at a tiny size. No time is asserted."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from imageferry.jobs.bench import baseline, cli, manifests, run_scenario, selection, table
from imageferry.jobs.bench.figures import COUNTS, bound, quota_of, result_of
from imageferry.jobs.bench.measure.processes import Measured, StoreProcess, Usage, measured, stage
from imageferry.jobs.bench.scenarios import NAMES, SCENARIOS
from imageferry.jobs.output.console import Console
from imageferry.jobs.output.json_record import report_record

from ..rehearsal import clean_environment

pytestmark = pytest.mark.timeout(180)  # each starts processes of its own, and other tests run beside them
ROOT = Path(__file__).parents[3]
TINY = {"products": 4, "images": 2, "latency": 0.0}


def bench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "imageferry.jobs.bench", *words]
    return subprocess.run(
        command, cwd=ROOT, env={**clean_environment(), **environment}, capture_output=True, text=True, check=False
    )


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(words)


def usage(at: float, taken: int, refused: int = 0, other: int = 0, other_refused: int = 0) -> Usage:
    return Usage(at, taken, refused, other, other_refused)


def told(**more: object) -> dict[str, object]:
    usual: dict[str, object] = dict.fromkeys(COUNTS, 0)
    usual |= {"requests": 100, "wall": 10.0, "cpu": 1.0, "throttled": 0, "retried": 0, "in_flight": 4.0}
    return usual | {"idle": 0.0, "latency": {"listing": 0.1, "applying": 0.1}, "quota": None} | more


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_plays_to_its_end_and_tells_all_its_figures(scenario: object) -> None:
    """Store and run in processes of their own, verified before anything is told."""
    result = run_scenario.play(replace(scenario, **TINY))  # type: ignore[type-var]
    assert {name for _, name, _ in table.COLUMNS} <= result.keys()
    assert result["calls"] > 0
    assert result["peak_mib"] > 5
    assert result["changes"] == (0 if result["name"] == "noop" else result["changes"])


def test_a_plan_tells_exactly_the_calls_that_are_sent() -> None:
    """The mixed scenario has an update, a create, a delete, a new order and a new thumbnail."""
    mixed = next(each for each in SCENARIOS if each.name == "mixed")
    result = run_scenario.play(replace(mixed, products=60, images=4))
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
    scenarios = selection.chosen(
        parsed("--scenario", "quota", "--quota", "none", "--latency", "0.5", "--products", "7")
    )
    assert [(each.name, each.quota, each.latency, each.products) for each in scenarios] == [("quota", None, 0.5, 7)]
    assert scenarios[0].about.endswith("(but latency 0.5, quota None)")
    assert [each.name for each in selection.chosen(parsed())] == list(NAMES)


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
    assert result.keys() >= report_record("bench", "done", None).keys()
    counts = [result[name] for name in ("outcome", "products", "wanted", "created", "failed", "failures")]
    assert counts == ["done", 3, 3, 3, 0, []]
    assert result["requests"] == result["scenarios"][0]["calls"]
    assert result["machine"]["python"]


def test_compare_gives_ratios_to_an_earlier_result_of_the_same_size() -> None:
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "it is empty", id="empty"),
        pytest.param("{}\n", "it has no scenarios", id="no scenarios"),
        pytest.param("[1]", "it has no scenarios", id="a list"),
        pytest.param('{"scenarios": [{}]}', "a scenario has no name", id="no name"),
        pytest.param('{"scenarios": [{"name": "cold", "seconds": "x"}]}', "cold: seconds is no figure", id="a word"),
        pytest.param('{"scenarios": [{"name": "cold", "calls": NaN}]}', "cold: calls is no figure", id="not a number"),
        pytest.param("[" * 100_000, "", id="too deep"),
        pytest.param("{", "Expecting", id="not JSON"),
    ],
)
def test_what_is_no_earlier_result_is_refused_before_anything_is_measured(
    text: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the file named and why; a measurement of minutes is not thrown away at its end."""
    broken = tmp_path / "broken.json"
    broken.write_text(text)
    assert cli.run(parsed("--compare", str(broken), "--json"), Console.standard()) == 2
    shown = capsys.readouterr()
    assert f"--compare {broken}: not a result of `imageferry bench --json`" in shown.err
    assert reason in shown.err
    record = json.loads(shown.out)
    assert (record["outcome"], record["scenarios"]) == ("invalid", [])


def test_an_earlier_result_is_the_last_line_that_is_written(tmp_path: Path) -> None:
    """What a shell kept of both streams, with an empty line at its end, will do."""
    kept = tmp_path / "kept.json"
    kept.write_text('some words\n{"scenarios": [{"name": "cold", "seconds": 1.5, "quota_used": null}]}\n\n')
    assert baseline.read(kept).scenarios == [{"name": "cold", "seconds": 1.5, "quota_used": None}]


def test_an_earlier_result_of_another_machine_is_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ratios of two machines say as much about them; that is told with the ratios, and -q leaves nothing else on standard error."""
    words = ("--scenario", "cold", "--products", "3", "--images", "1", "--quiet", "--json")
    assert cli.run(parsed(*words), Console.standard()) == 0
    result = json.loads(capsys.readouterr().out)
    kept = tmp_path / "kept.json"
    for processor, notes in ((result["machine"]["processor"], 0), ("Another CPU", 1)):
        kept.write_text(json.dumps(result | {"machine": result["machine"] | {"processor": processor}}))
        assert cli.run(parsed(*words, "--compare", str(kept)), Console.standard()) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        assert len(json.loads(shown.out)["notes"]) == notes
    assert "Another CPU" in json.loads(shown.out)["notes"][0]


def test_a_process_that_dies_costs_only_its_own_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store that can't start, after a scenario that went well: that one's figures are given."""
    well = replace(SCENARIOS[0], products=2, images=1)
    monkeypatch.setattr(selection, "SCENARIOS", (well, replace(well, name="noop", products=-1)))
    assert cli.run(parsed("--json"), Console.standard()) == 1
    shown = capsys.readouterr()
    record = json.loads(shown.out)
    assert [each["name"] for each in record["scenarios"]] == ["cold"]
    assert "did not start" in record["failures"][0]["reason"]


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
    monkeypatch.setattr(selection, "SCENARIOS", (refusing,))
    assert cli.run(parsed("--scenario", "cold", "--json"), Console.standard()) == 1
    shown = capsys.readouterr()
    assert "no figures: cold" in shown.err
    record = json.loads(shown.out)
    assert (record["outcome"], record["scenarios"]) == ("failed", [])
    assert record["failures"][0]["reason"].startswith("cold: ")


def settings_of(store: StoreProcess) -> dict[str, str]:
    access = store.access
    return {
        "BIGCOMMERCE_STORE_HASH": access["store_hash"],
        "BIGCOMMERCE_ACCESS_TOKEN": access["access_token"],
        "BIGCOMMERCE_API_URL": access["api_url"],
    }


def test_a_real_store_is_listed_and_never_written_to() -> None:
    """The sandbox plays the real store; its log has nothing but GET, and no product was listed but the few that were asked for."""
    with stage("--products", "300", "--images", "2", "--log") as store:
        done = bench("--store", "--products", "5", "--json", **settings_of(store))
        assert done.returncode == 0, done.stderr
        calls = [json.loads(line) for line in store.call("/_sandbox/log").splitlines()]
    assert {call["method"] for call in calls} == {"GET"}
    listed = Counter(match[1] for call in calls if (match := re.search(r"/products/(\d+)/images", call["path"])))
    assert listed == dict.fromkeys("12345", 2)
    assert len(calls) <= 2 * 5 + 6
    assert "nothing is written" in done.stderr
    result = json.loads(done.stdout)["scenarios"][0]
    assert (result["name"], result["changes"], result["products"], result["wanted"]) == ("store", 0, 5, 10)


@pytest.mark.parametrize("images", ["0", "2"], ids=["no image in the store", "two images a product"])
def test_of_a_real_store_those_products_are_told_that_it_has(images: str) -> None:
    """Fewer than were asked for: the figures go under the smaller number; a product without images is listed as any other."""
    with stage("--products", "7", "--images", images) as store:
        done = bench("--store", "--products", "200", "--json", **settings_of(store))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["scenarios"][0]
    assert (result["products"], result["wanted"]) == (7, 7 * int(images))
    assert result["about"] == "a real store, read only: 7 products listed"
    assert (result["images"], result["latency"]) == (None, None)
    assert "remark" not in result


def test_a_sample_goes_over_several_pages_of_products() -> None:
    """250 products are a page; the one after the last that is wanted isn't asked for."""
    with stage("--products", "600", "--images", "0", "--log") as store:
        told = measured({"verb": "sample", "access": store.access, "manifest": os.devnull, "products": 251}).told
        calls = [json.loads(line)["path"] for line in store.call("/_sandbox/log").splitlines()]
    assert told["sampled"] == 251
    assert sum("/products?" in path for path in calls) == 2


@pytest.mark.parametrize(
    ("products", "token", "code", "outcome", "words"),
    [
        pytest.param("1", "wrong", 5, "unreachable", "401", id="token refused"),
        pytest.param("0", None, 1, "failed", "no product", id="no products"),
    ],
)
def test_a_real_store_that_gives_nothing_ends_with_the_contracts_code(
    products: str, token: str | None, code: int, outcome: str, words: str
) -> None:
    """A store that refuses the token, and one that answers well but has nothing to be listed, are two things."""
    with stage("--products", products) as store:
        environment = settings_of(store)
        environment["BIGCOMMERCE_ACCESS_TOKEN"] = token or environment["BIGCOMMERCE_ACCESS_TOKEN"]
        done = bench("--store", "--json", **environment)
    assert done.returncode == code, done.stderr
    record = json.loads(done.stdout)
    assert (record["outcome"], record["scenarios"]) == (outcome, [])
    assert words in record["error"]
    assert words in done.stderr


def test_a_real_stores_settings_may_be_flags() -> None:
    """They win over the environment, as in every command; pace is among them."""
    with stage("--products", "3", "--images", "1") as store:
        environment = {"BIGCOMMERCE_ACCESS_TOKEN": store.access["access_token"], "BIGCOMMERCE_STORE_HASH": "elsewhere"}
        words = ("--store-hash", store.access["store_hash"], "--api-url", store.access["api_url"])
        done = bench("--store", *words, "--rate", "200", "--quota-share", "50", "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["products"] == 3


@pytest.mark.parametrize(
    ("words", "blamed"),
    [
        pytest.param(("--store",), "BIGCOMMERCE_STORE_HASH", id="no store"),
        pytest.param(("--store", "--quota-share", "0"), "--quota-share", id="a share of nothing"),
        pytest.param(("--store", "--scenario", "cold"), "--scenario", id="a scenario of a store"),
        pytest.param(("--store", "--images", "9", "--quota", "5"), "--images, --quota", id="a store made to measure"),
        pytest.param(("--store", "--latency", "3"), "--latency", id="a store's latency"),
        pytest.param(("--rate", "3"), "--rate", id="pace without a store"),
        pytest.param(("--store-hash", "abc"), "--store-hash", id="a hash without a store"),
    ],
)
def test_flags_and_settings_that_do_not_fit_are_blamed(words: tuple[str, ...], blamed: str) -> None:
    """Exit code 2 and the name of what is wrong; a flag that did nothing would be believed."""
    environment = {
        "BIGCOMMERCE_STORE_HASH": "abc",
        "BIGCOMMERCE_ACCESS_TOKEN": "t",
        "BIGCOMMERCE_API_URL": "http://127.0.0.1:9",
    }
    environment = environment if len(words) > 1 else {}
    refused = bench(*words, "--json", **environment)
    assert refused.returncode == 2
    assert blamed in refused.stderr
    assert json.loads(refused.stdout)["outcome"] == "invalid"


def test_slow_pictures_are_what_bounds_the_source_scenario() -> None:
    """The store takes its time to fetch, not to answer."""
    source = next(each for each in SCENARIOS if each.name == "source")
    assert run_scenario.play(replace(source, products=8, images=2))["bound"] == "source"


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
    rows, before = list(manifests.changed(200, 4)), list(manifests.filling(200, 4))
    assert rows == list(manifests.changed(200, 4))
    touched = [row for row, was in zip(rows, before, strict=True) if row != was]
    assert {len(row["images"]) for row in touched} == {3, 4, 5}
    assert 0.2 < len(touched) / len(rows) < 0.4


def test_help_names_every_scenario_and_loads_no_engine() -> None:
    """The command's own help costs next to nothing."""
    code = "import sys, argparse; from imageferry.jobs.bench.cli import add_arguments; p = argparse.ArgumentParser(); add_arguments(p); p.format_help();"
    code += "print([m for m in ('imageferry.core', 'aiohttp', 'anyio', 'asyncio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    text = " ".join(bench("--help").stdout.split())
    assert all(name in text for name in NAMES)
