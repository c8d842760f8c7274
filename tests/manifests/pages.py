"""The page of what the chart refuses, for its readers. `python -m tests.manifests.pages` writes it."""

from __future__ import annotations

import re

import yaml

from tests.manifests.chart import CHART
from tests.manifests.refusals import REFUSALS, Refusal

REFUSALS_PAGE = CHART / "REFUSALS.md"
_WIDTH = 10_000  # no breaks: a row is a line
_LONG = re.compile("a{30,}")
_ABOUT = """\
# What the chart refuses

Combinations that KServe or Kubernetes takes, and that do nothing, hang, or fail where nobody looks. Each ends `helm
install` with its sentence. Keys that do not exist and values out of bounds are refused by `values.schema.json` before.

Made of the table that the tests go through (`make render`); change `tests/manifests/refusals.py`, not this file.

| | values | sentence |
|---|---|---|
"""


def refusals_page() -> str:
    """Return the page: what is asked for in a word, the values that ask for it, and what is said."""
    return _ABOUT + "".join(map(_row, REFUSALS))


def _row(refusal: Refusal) -> str:
    values = yaml.safe_dump(refusal.values, default_flow_style=True, sort_keys=False, width=_WIDTH).strip()
    return _LONG.sub("a…a", f"| {refusal.name} | `{values}` | {refusal.sentence} |\n")


if __name__ == "__main__":
    REFUSALS_PAGE.write_text(refusals_page())
