from __future__ import annotations

import numpy as np
import pytest

from predictor.errors import StageFailed
from predictor.runtime.session import Tensor
from predictor.stages import require_answer

_VARIED = np.linspace(0.0, 1.0, 12, dtype=np.float32).reshape(1, 3, 2, 2)
_FLAT = np.full_like(_VARIED, 0.5)


def _with(value: float) -> Tensor:
    answer = _VARIED.copy()
    answer[0, 1, 1, 0] = value
    return answer


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("given", [_VARIED, _FLAT], ids=["varied", "flat"])
def test_an_answer_that_is_not_finite_fails_its_stage(value: float, given: Tensor) -> None:
    with pytest.raises(StageFailed, match=r"^net: the network's answer is not finite$"):
        require_answer("net", _with(value), given)


def test_one_value_for_a_picture_that_has_several_fails_its_stage() -> None:
    with pytest.raises(StageFailed, match=r"^net: the network's answer is constant$"):
        require_answer("net", _FLAT, _VARIED)


def test_a_flat_picture_may_be_answered_flatly() -> None:
    require_answer("net", _FLAT, _FLAT)
    require_answer("net", _VARIED, _FLAT)


def test_an_answer_that_varies_is_taken() -> None:
    require_answer("net", _VARIED, _VARIED)
