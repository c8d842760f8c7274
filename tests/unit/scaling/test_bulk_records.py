from __future__ import annotations

import pytest

from predictor.scaling import bulk_records
from predictor.scaling.bulk_records import fingerprint
from predictor.settings import Settings
from tests.unit.scaling.bulk_bench import swap


def test_a_fingerprint_does_not_depend_on_the_order_of_what_it_is_made_of() -> None:
    assert fingerprint({"b": 1, "a": 2}, Settings()) == fingerprint({"a": 2, "b": 1}, Settings())


def test_a_setting_that_nobody_has_thought_of_counts() -> None:
    class Later(Settings):
        softness: float = 1.0

    task = swap().described()

    assert fingerprint(task, Later()) != fingerprint(task, Settings())
    assert fingerprint(task, Later(softness=2.0)) != fingerprint(task, Later())


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name.startswith("ray_")])
def test_no_pixel_depends_on_how_ray_is_set_up(name: str) -> None:
    other = {"ray_replicas": "2-3", "ray_batch": 3}.get(name, 0.5)

    assert fingerprint({}, Settings(**{name: other})) == fingerprint({}, Settings())  # type: ignore[arg-type]


def test_what_is_no_matter_of_pixels_is_a_setting_that_there_is() -> None:
    assert set(Settings.model_fields) >= bulk_records._NOT_OF_PIXELS


def test_limits_are_kept_apart_from_the_work() -> None:
    strict, mild = (fingerprint({}, Settings(limit_faces=count)) for count in (1, 2))

    assert strict.work == mild.work
    assert strict.limits != mild.limits


def test_another_version_may_make_other_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint({}, Settings())
    monkeypatch.setattr(bulk_records, "__version__", "9.9.9")

    assert fingerprint({}, Settings()).work != before.work
