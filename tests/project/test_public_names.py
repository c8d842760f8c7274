from __future__ import annotations

import types

import predictor


def test_every_public_name_is_listed_and_every_listed_name_exists() -> None:
    found = {
        name
        for name, value in vars(predictor).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }

    assert found | {"__version__"} == set(predictor.__all__)
