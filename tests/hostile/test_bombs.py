"""Files that promise, unpack to or ask for more than a machine has: a picture or a typed error, and nothing else."""

from __future__ import annotations

import pytest

from tests.hostile.files import BOMBS, HEAVY
from tests.hostile.health import Target
from tests.serving.wire import Ask


@pytest.mark.parametrize("name", [name for name in BOMBS if name not in HEAVY])
def test_a_file_that_lies_is_a_picture_or_a_typed_error(target: Target, name: str) -> None:
    make, codes = BOMBS[name]

    answer = target.ask(Ask("faceswap-detect", make()).rest())

    assert (answer.json["code"] if answer.status != 200 else "ok") in codes, answer.body[:500]
    assert answer.status < 500


def test_after_all_of_them_the_server_is_as_healthy_as_before(target: Target) -> None:
    target.check()
