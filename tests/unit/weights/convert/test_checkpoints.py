from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from predictor.errors import WeightsDamaged

torch: Any = pytest.importorskip("torch", reason="the extra torch is not installed: make setup-torch")

from predictor.weights.convert.checkpoints import blended, load, read_state

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_torch


class Dangerous:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this ran",)


def _saved(tmp_path: Path, content: object, **options: Any) -> Path:
    torch.save(content, tmp_path / "some.pth", **options)
    return tmp_path / "some.pth"


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"params": state},
        lambda state: {"params": {"other": torch.zeros(1)}, "params_ema": state},
    ],
    ids=["bare", "params", "params_ema"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_weights_are_read_wherever_the_official_files_keep_them(tmp_path: Path, wrapped: Any, *, zipped: bool) -> None:
    path = _saved(tmp_path, wrapped({"weight": torch.ones(2)}), _use_new_zipfile_serialization=zipped)

    state = read_state(path)

    assert {name: value.tolist() for name, value in state.items()} == {"weight": [1.0, 1.0]}


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _saved(tmp_path, {"weight": Dangerous()})

    with pytest.raises(WeightsDamaged, match=r"some.pth is no file of weights that torch can read"):
        read_state(path)
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"], ids=["empty", "text", "zip"])
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.pth"
    path.write_bytes(content)

    with pytest.raises(WeightsDamaged, match=r"some.pth is no file of weights"):
        read_state(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path, {"weight": torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:-500])

    with pytest.raises(WeightsDamaged, match=r"some.pth is no file of weights"):
        read_state(path)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"params": [1]}], ids=["list", "number", "weights"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    path = _saved(tmp_path, content)

    with pytest.raises(WeightsDamaged, match=r"some.pth holds something else"):
        read_state(path)


def test_a_blend_is_made_weight_by_weight() -> None:
    mixed = blended({"a": torch.tensor([1.0])}, {"a": torch.tensor([3.0])}, 0.25)

    assert mixed["a"].item() == 2.5


def test_a_module_is_built_with_the_weights_of_the_file(tmp_path: Path) -> None:
    state = {"weight": torch.full((1, 2), 2.0), "bias": torch.zeros(1)}

    module = load(lambda: torch.nn.Linear(2, 1), state, tmp_path)

    assert module(torch.ones(1, 2)).item() == 4.0
    assert not module.training


@pytest.mark.parametrize(
    "state",
    [{"weight": torch.ones(1, 2)}, {"weight": torch.ones(1, 3), "bias": torch.ones(1)}],
    ids=["one missing", "another shape"],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    with pytest.raises(WeightsDamaged, match=r"some.pth does not hold the weights of Linear"):
        load(lambda: torch.nn.Linear(2, 1), state, tmp_path / "some.pth")
