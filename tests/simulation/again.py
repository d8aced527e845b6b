"""The same command given again at once, in a shop whose listings lag: what the former run wrote is not listed yet."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .draw import Night, Scenario

SHARE = 0.1
UNDONE_SHARE = 0.2
"""Of the stories of an undo."""


def draw_again(scenario: Scenario) -> None:
    """Give one night's command once more right after it, in some stories; the listings lag within a settle there."""
    chance = Random(f"imageferry {scenario.seed} given again")
    if chance.random() >= SHARE or scenario.config.list_lag > scenario.settings["settle"]:
        return
    scenario.settings["settle"] = chance.choice([20.0, 40.0])
    scenario.config.list_lag = chance.uniform(8.0, 18.0)
    nights = scenario.nights
    timely = [n for n, night in enumerate(nights) if _is_timely(night)]
    telling = [n for n in timely if n == 0 or nights[n].noisy or nights[n].rows != nights[n - 1].rows]
    number = chance.choice(telling or timely)
    former = scenario.nights[number]
    again = replace(
        former, noisy=False, at_once=True, dooms=[], deeds=[], faults=(), down=[], quotas=[], vandals=[], nap=None
    )
    scenario.nights.insert(number + 1, replace(again, forgets=False, most=None))


def draw_undone_at_once(scenario: Scenario) -> None:
    """In some stories of an undo it comes right after its run, which nothing had troubled."""
    chance = Random(f"imageferry {scenario.seed} undone at once")
    run = scenario.nights[0]
    if chance.random() >= UNDONE_SHARE or not _is_timely(run):
        return
    scenario.settings["settle"] = chance.choice([20.0, 40.0])
    scenario.config.list_lag = chance.uniform(8.0, 18.0)
    scenario.nights[0] = replace(run, dooms=[], faults=(), down=[], most=None, nap=None)
    scenario.nights[1] = replace(scenario.nights[1], at_once=True)


def _is_timely(night: Night) -> bool:
    """Return True if a settle after it all that it did is listed, but for what it did not get to.

    What lands later than a settle after its answer was lost, or comes from others, may not be listed to the second command; a plan
    that is made beside a run that was broken off can't know what settling that one will find.
    """
    late = any(fault.kind == "late_commit" for fault in night.faults)
    return not (night.deeds or late or (night.most and night.mode.startswith("apply")))
