from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.stages import Restorer

if TYPE_CHECKING:
    from pathlib import Path

    from predictor.faces import Image


def _members(protocol: type) -> set[str]:
    return set(protocol.__annotations__) | {name for name in vars(protocol) if not name.startswith("_")}


def test_the_restorer_that_is_worked_through_keeps_the_contract(root: Path, astronaut: Image) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (root / "CONTRIBUTING.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block), names)  # noqa: S102  # the guide's own example

    restorer = names["Contrast"]()
    (restored,) = restorer.restore([astronaut])

    assert all(hasattr(restorer, member) for member in _members(Restorer))
    assert restored.shape == astronaut.shape
    assert restored.dtype == np.uint8
    assert not np.array_equal(restored, astronaut)
