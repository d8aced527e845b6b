"""The results as pictures: bars in SVG, written by hand so that nothing has to be installed. Pure.

Colours follow the reader's scheme, light or dark; each picture has a ground of its own, so that it is legible on either.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from .plan import DICTS, MERGE, PARSE, UNSORTED
from .quota import ALONE, STEADY
from .tables import wire_titles
from .work import US

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _LEFT, _BAR, _GAP, _SCALE, _EDGE = 860, 190, 20, 6, 350, 20
_STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.title{font-size:16px;font-weight:600}.group{font-weight:600}.note{fill:#59636e}
.ground{fill:#ffffff;stroke:#d1d9e0}.us{fill:#0969da}.peer{fill:#9aa4af}.spread{stroke:#1f2328}.limit{stroke:#cf222e}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.ground{fill:#0d1117;stroke:#3d444d}
.us{fill:#4493f8}.peer{fill:#656c76}.spread{stroke:#e6edf3}.limit{stroke:#f85149}}
"""


@dataclass(slots=True, frozen=True)
class Bar:
    """One bar: whose, how long (median, lowest, highest), and what is written at its end."""

    name: str
    value: Mapping[str, float]
    text: str


@dataclass(slots=True, frozen=True)
class Group:
    """Bars on one scale; `limit` is where the physical or the agreed limit lies."""

    title: str
    bars: Sequence[Bar]
    limit: float | None = None


def bars(title: str, note: str, groups: Sequence[Group]) -> str:
    """Draw groups of bars below each other."""
    body = [
        f'<text x="{_EDGE}" y="32" class="title">{escape(title)}</text>',
        f'<text x="{_EDGE}" y="52" class="note">{escape(note)}</text>',
    ]
    y = 84
    for group in groups:
        body.append(f'<text x="{_EDGE}" y="{y}" class="group">{escape(group.title)}</text>')
        y += 12
        top = y
        longest = max([bar.value["high"] for bar in group.bars] + ([group.limit] if group.limit else [])) or 1.0
        for bar in group.bars:
            body += _bar(bar, y, _SCALE / longest)
            y += _BAR + _GAP
        if group.limit:
            x = _LEFT + group.limit * _SCALE / longest
            body.append(
                f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 4}" y2="{y}" stroke-width="1.5" stroke-dasharray="4 3"/>'
            )
        y += 30
    height = y - 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img">'
    ground = f'<rect class="ground" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", ground, *body, "</svg>", ""])


def _bar(bar: Bar, y: int, scale: float) -> list[str]:
    length, low, high = (bar.value[name] * scale for name in ("median", "low", "high"))
    middle, kind = y + _BAR / 2, "us" if bar.name.startswith(US) else "peer"
    drawn = [
        f'<text x="{_LEFT - 10}" y="{middle + 4:.0f}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{max(length, 1):.1f}" height="{_BAR}" rx="2"/>',
        f'<text x="{_LEFT + _SCALE + _EDGE}" y="{middle + 4:.0f}">{escape(bar.text)}</text>',
    ]
    if high - low > 1:
        x = f'x1="{_LEFT + low:.1f}" x2="{_LEFT + high:.1f}"'
        drawn.append(f'<line class="spread" {x} y1="{middle}" y2="{middle}" stroke-width="1.5"/>')
    return drawn


def drawn(parts: Mapping[str, Any]) -> dict[str, str]:
    """Every picture that the results are there for, by file name."""
    told: dict[str, str] = {}
    if "quota" in parts:
        told["quota-alone.svg"] = _quota(parts["quota"][ALONE], "Share of the quota that is used, alone", beside=False)
        told["quota-beside.svg"] = _quota(
            parts["quota"][STEADY], "Beside another app that takes a fifth of the quota", beside=True
        )
    if "wire" in parts:
        told["wire.svg"] = _wire(parts["wire"])
    if "plan" in parts:
        told["plan.svg"] = _plan(parts["plan"])
    if "startup" in parts:
        told["startup.svg"] = _startup(parts["startup"])
    return told


def _quota(mix: Mapping[str, Any], title: str, *, beside: bool) -> str:
    note = "of the calls allowed in whole windows; 429s in 10,000 calls" + (
        "; rejected of the other's calls" if beside else ""
    )
    groups = [
        Group(
            f"{float(latency) * 1000:.0f} ms a call",
            [_used(peer, figures, beside=beside) for peer, figures in _us_first(peers)],
            1.0,
        )
        for latency, peers in sorted(mix.items(), key=lambda each: float(each[0]))
    ]
    return bars(title, note, groups)


def _used(peer: str, figures: Mapping[str, Any], *, beside: bool) -> Bar:
    used, rejected = figures["used"], figures["other_rejected"]
    shown = "no whole window" if used is None else f"{used['median']:.1%}"
    text = f"{shown}, {figures['throttled_in_10000']:,.0f} 429s"
    if beside:
        text += f", other's {'-' if rejected is None else f'{rejected:.1%}'}"
    return Bar(peer, used or {"median": 0.0, "low": 0.0, "high": 0.0}, text)


def _wire(wire: dict[str, Any]) -> str:
    groups = [
        Group(
            title,
            [
                Bar(peer, each["cpu_us"], f"{each['cpu_us']['median']:,.0f} µs")
                for peer, each in _us_first(wire[kind]["peers"])
            ],
        )
        for kind, title in wire_titles(wire).items()
    ]
    return bars(
        "Processor time a call", "of the whole process without its start; no quota, no latency; less is better", groups
    )


def _plan(plan: Mapping[str, Any]) -> str:
    peers = plan["plan"]["peers"]
    names = (PARSE, MERGE, UNSORTED, DICTS)
    groups = [
        Group(
            "processor seconds",
            [Bar(name, peers[name]["cpu"], f"{peers[name]['cpu']['median']:.2f} s") for name in names],
        ),
        Group(
            "peak memory",
            [Bar(name, peers[name]["peak_mb"], f"{peers[name]['peak_mb']['median']:,.0f} MB") for name in names],
        ),
    ]
    title = f"{plan['images']:,} wanted images against as many present ones"
    return bars(title, "manifest and listings read, compared, plan written; calls not counted; less is better", groups)


def _startup(startup: Mapping[str, Any]) -> str:
    made = [Bar(name, each, f"{each['median']:.0f} ms") for name, each in startup["peers"].items()]
    return bars("Start-up", "a new process each time, by the clock; less is better", [Group("milliseconds", made)])


def _us_first(peers: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(peers.items(), key=lambda each: each[0] != US)
