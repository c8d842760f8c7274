from __future__ import annotations

from http import HTTPStatus

import grpc
import pytest

from predictor import errors
from predictor.serving.statuses import STATUSES


def _error_classes() -> list[type[errors.PredictorError]]:
    return [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.PredictorError)
    ]


CODES = {error.code for error in _error_classes()}


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_has_a_status_on_both_protocols(code: str) -> None:
    status = STATUSES[code]

    assert HTTPStatus(status.http) >= HTTPStatus.BAD_REQUEST
    assert status.grpc is not grpc.StatusCode.OK


def test_no_status_stands_for_an_error_that_does_not_exist() -> None:
    assert set(STATUSES) == CODES


def test_the_tree_on_top_of_the_file_names_every_error() -> None:
    tree = errors.__doc__ or ""

    missing = [error.__name__ for error in _error_classes() if error.__name__ not in tree]

    # they only group or translate, and are never told to anybody
    assert set(missing) <= {"OverLimit", "DegenerateLandmarks"}
