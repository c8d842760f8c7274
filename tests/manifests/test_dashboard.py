"""The Grafana dashboard asks for what there is, and for all of it; the README's table says what each is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kserve.metrics import EXPLAIN_HIST_TIME, POST_HIST_TIME, PRE_HIST_TIME, PREDICT_HIST_TIME
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from predictor.job import Job
from predictor.runtime.session import OpenedSession
from predictor.serving.info_metrics import Info
from predictor.serving.loading import Loading
from predictor.serving.metrics import Requests, published
from predictor.weights.store import LoadedWeights
from tests.manifests.chart import manifests, of_kind

ROOT = Path(__file__).parents[2]
# What Prometheus adds when it reads a pod's page.
OF_PROMETHEUS = {"namespace", "pod"}
PODS = "$service-(predictor|.+-head)-.*"
FUNCTIONS = {"sum", "by", "rate", "histogram_quantile"}
_SUFFIXES = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def page() -> dict[str, set[str]]:
    """Every metric of a page on which everything has happened once, with its labels."""
    loading = SimpleNamespace(
        sessions=[OpenedSession("centerface", "cpu", "fp32")], weights=[LoadedWeights("net.onnx", "0" * 64, "mit")]
    )
    requests, job = Requests(["faceswap"]), Job()
    for histogram in (PRE_HIST_TIME, PREDICT_HIST_TIME, POST_HIST_TIME, EXPLAIN_HIST_TIME):
        histogram.labels("faceswap")
    with requests.counted("faceswap", "v1"), requests.in_flight("faceswap", job), job.stage("swap"):
        job.count("faces_skipped", label="degenerate_face")
        job.count("pictures_skipped", label="no_face_found")
        job.count("retries", label="swap")
    with published(requests), published(Info(cast("Loading", loading))):
        text = generate_latest(REGISTRY).decode()
    return {name: labels - {"le"} for name, labels in _metrics(text)}


def _metrics(text: str) -> Iterator[tuple[str, set[str]]]:
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if not name.endswith("_created"):
            yield name, {label for sample in family.samples for label in sample.labels}


@pytest.fixture(scope="module")
def dashboard() -> Any:  # noqa: ANN401  # Grafana's JSON
    (configured,) = of_kind("ConfigMap", manifests({"grafanaDashboard": {"enabled": True}}))
    assert configured["metadata"]["labels"]["grafana_dashboard"] == "1"
    return json.loads(configured["data"]["faceswap-predictor.json"])


@pytest.fixture(scope="module")
def asked(dashboard: Any) -> list[str]:  # noqa: ANN401
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def _names(expression: str) -> set[str]:
    """The metrics of an expression: words outside of braces, brackets and lists of labels that are no function."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", " ", expression)
    return set(re.findall(r"[a-z_]{3,}", re.sub(r"\d+e\d+", " ", bare))) - FUNCTIONS


def test_every_expression_names_metrics_and_labels_that_there_are(page: dict[str, set[str]], asked: list[str]) -> None:
    for expression in asked:
        names = {_SUFFIXES.sub("", name) for name in _names(expression)}
        assert names <= set(page), expression
        labels = set(re.findall(r"(\w+)(?:=|!=|=~)\"", expression))
        labels |= {one.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for one in group.split(",")}
        assert labels - OF_PROMETHEUS - {"le"} <= set.union(*(page[name] for name in names)), expression


def test_every_metric_of_ours_is_asked_for(page: dict[str, set[str]], asked: list[str]) -> None:
    named = {_SUFFIXES.sub("", name) for expression in asked for name in _names(expression)}

    assert {name for name in page if name.startswith("predictor_")} <= named


def test_every_expression_is_of_the_pods_that_were_chosen(asked: list[str]) -> None:
    for expression in asked:
        selectors = re.findall(r"\{([^}]*)\}", expression)
        assert len(selectors) == len(re.findall(r"(?:predictor|process)_\w+", expression))
        assert all(f'namespace=~"$namespace",pod=~"{PODS}"' in one for one in selectors)


@pytest.mark.parametrize(
    ("pod", "shown"),
    [
        ("faceswap-cpu-predictor-7d9c5b8f6-x2vlk", True),
        ("faceswap-ray-k2xdh-head-bnm99", True),
        ("faceswap-ray-k2xdh-workers-worker-8hkfr", False),
        ("faceswap-cpu-transformer-7d9c5b8f6-x2vlk", False),
    ],
)
def test_the_pods_are_those_of_inferenceservices_and_the_heads_of_rayservices(pod: str, shown: bool) -> None:  # noqa: FBT001
    assert bool(re.fullmatch(PODS.replace("$service", "faceswap.*"), pod)) is shown


def test_panels_do_not_lie_on_each_other_and_have_ids_of_their_own(dashboard: Any) -> None:  # noqa: ANN401
    places = [panel["gridPos"] for panel in dashboard["panels"]]

    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_tables_columns_are_labels(dashboard: Any, page: dict[str, set[str]]) -> None:  # noqa: ANN401
    tables = [panel for panel in dashboard["panels"] if panel["type"] == "table"]

    assert len(tables) == 3
    for panel in tables:
        (name,) = _names(panel["targets"][0]["expr"])
        (kept,) = (change["options"]["include"]["names"] for change in panel["transformations"])
        assert set(kept) == {"pod"} | page[name]


# ── the README ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_readme_lists_every_metric_of_the_page_with_its_labels(page: dict[str, set[str]]) -> None:
    readme = (ROOT / "README.md").read_text()
    (section,) = re.findall(r"^### Metrics\n(.*?)(?=^#)", readme, re.DOTALL | re.MULTILINE)
    rows = [line.strip("|").split("|")[:2] for line in section.splitlines() if line.startswith("| `")]
    listed = {
        name: set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", labels)))
        for names, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }

    assert listed == page
