"""What the chart's pages say of it is so."""

from __future__ import annotations

import re

from tests.cluster.examples import DRY, INSTALLED
from tests.manifests.chart import CHART
from tests.manifests.pages import REFUSALS_PAGE, refusals_page


def test_the_page_of_refusals_holds_every_one() -> None:
    assert REFUSALS_PAGE.read_text() == refusals_page(), "a refusal has changed: make render"


def test_the_readme_says_of_every_example_what_the_cluster_makes_of_it() -> None:
    rows = re.findall(r"^\| `(.*)-values.yaml` \| .* \| (.*) \|$", (CHART / "README.md").read_text(), re.MULTILINE)

    said = {example: verdict.partition(";")[0] for example, verdict in rows}
    dry = {example: f"server-side dry run: it needs {need}" for example, need in DRY.items()}
    assert said == dict.fromkeys(INSTALLED, "runs") | dry
