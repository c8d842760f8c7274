"""Combinations that would do nothing, hang, or fail where nobody looks are refused with a sentence."""

from __future__ import annotations

import re

import pytest

from tests.manifests.chart import CHART, Refused, manifests
from tests.manifests.refusals import REFUSALS, Refusal


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_combination_is_refused_with_a_sentence(refusal: Refusal) -> None:
    with pytest.raises(Refused) as refused:
        manifests(refusal.values)

    assert str(refused.value).endswith(refusal.sentence)


def test_every_refusal_of_the_chart_stands_in_the_table() -> None:
    text = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    sentences = re.findall(r'\bfail (?:\(printf )?"((?:[^"\\]|\\.)*)"', text)
    expected = [re.sub(r"%%", "%", re.sub(r"%[qsd]", "\0", sentence)).split("\0") for sentence in sentences]
    stated = [refusal.sentence for refusal in REFUSALS]

    untested = ["…".join(parts) for parts in expected if not any(all(p in s for p in parts) for s in stated)]

    assert len(sentences) == text.count("{{- fail ")
    assert untested == []


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"imgae": {}}, "imgae"),
        ({"image": {"tagg": "v1"}}, "tagg"),
        ({"model": {"reciep": "onnx"}}, "reciep"),
        ({"gpu": {"model": {"reciep": "onnx"}}}, "reciep"),
        ({"cpu": {"resource": "nvidia.com/gpu"}}, "resource"),
        ({"autoscaling": {"keda": {"serverAdress": "http://prometheus"}}}, "serverAdress"),
        ({"weights": {"claim": {"class": "fast"}}}, "class"),
    ],
)
def test_an_unknown_key_is_refused_by_name(values: dict[str, object], key: str) -> None:
    with pytest.raises(Refused, match=f"additional properties '{key}' not allowed"):
        manifests(values)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"mode": "pod"}, "/mode"),
        ({"deploymentMode": "RawDeployment"}, "/deploymentMode"),
        ({"autoscaling": {"class": "KEDA"}}, "/autoscaling/class"),
        ({"model": {"recipe": "fast"}}, "/model/recipe"),
        ({"model": {"modelName": "face swap"}}, "/model/modelName"),
        ({"gpu": {"count": 0.5}}, "/gpu/count"),
        ({"gpu": {"resource": "gpu"}}, "/gpu/resource"),
        ({"image": {"digest": "0123"}}, "/image/digest"),
        ({"storageUris": [{"uri": "/weights"}]}, "/storageUris/0/uri"),
        ({"storageUris": [{"uri": "s3://weights", "mountPath": "/"}]}, "/storageUris/0/mountPath"),
        ({"rest": {"port": 80}}, "/rest/port"),
    ],
)
def test_a_value_out_of_bounds_is_refused_where_it_stands(values: dict[str, object], place: str) -> None:
    with pytest.raises(Refused, match=f"at '{place}'"):
        manifests(values)
