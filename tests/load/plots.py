"""Latency and throughput by the number of callers, and memory over time, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from tests.load.arena import Memory
from tests.load.calls import quantile, seconds_of
from tests.load.curve import LEVELS, QUANTILES, Step, rate
from tests.load.soak import minutes

_STYLES = ("-", "--", ":")


def plot_latency(steps: Sequence[Step], path: Path) -> None:
    """Write latency and throughput by the number of callers, a PNG."""
    figure = Figure(figsize=(9, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for colour, protocol in enumerate(dict.fromkeys(step.protocol for step in steps)):
        of_protocol = [step for step in steps if step.protocol == protocol]
        at = [step.concurrency for step in of_protocol]
        taken = [seconds_of(step.watched.ran.settled().calls) for step in of_protocol]
        for name, style in zip(QUANTILES, _STYLES, strict=True):
            values = [quantile(one, name) or float("nan") for one in taken]
            upper.plot(at, values, style, color=f"C{colour}", marker=".", label=f"{protocol}, {name}")
        lower.plot(at, [rate(step) for step in of_protocol], color=f"C{colour}", marker=".", label=protocol)
    upper.set(ylabel="latency of answered calls, ms", xscale="log", yscale="log")
    upper.set_title("swap of a 1280×886 JPEG, embedded recipe")
    upper.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    upper.yaxis.set_major_formatter("{x:,.0f}")
    upper.yaxis.set_minor_formatter(NullFormatter())
    lower.set(xlabel="callers", ylabel="answers a second", ylim=(0, None))
    lower.set_xticks(LEVELS, map(str, LEVELS))
    lower.set_xticks([], minor=True)
    for axes in (upper, lower):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path)


def plot_memory(memories: Mapping[str, Memory], path: Path) -> None:
    """Write resident memory over time, a PNG."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for name, memory in memories.items():
        axes.plot(minutes(memory.seconds), memory.mib, label=name)
    highest = max((mib for memory in memories.values() for mib in memory.mib), default=1.0)
    axes.set(xlabel="minutes", ylabel="resident memory of the server, MiB", ylim=(0, highest * 1.15))
    axes.set_title("resident memory over time")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path)
