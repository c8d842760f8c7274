"""Every network runs where it was asked for and agrees with the yardstick, or falls back and says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.errors import ProviderUnavailable, StageFailed, StartupError
from predictor.runtime import providers
from predictor.runtime.engine import EngineFailed
from predictor.runtime.onnx import OnnxEngine
from predictor.runtime.providers import Sessions, session_opener
from predictor.runtime.session import Network, OpenedSession
from predictor.runtime.threads import available_threads

if TYPE_CHECKING:
    from pathlib import Path

    from predictor.runtime.session import Node, Tensor

ANSWER = np.array([10.0, 12.0, 10.0, 12.0], np.float32)
PROBE = {"given": np.ones(1, np.float32)}
NETWORK = Network("network", b"", PROBE, tolerance=0.05)


@dataclass
class FakeSession:
    """Answers the same to everything; None breaks down."""

    answer: Tensor | None

    def run(self, _names: Sequence[str] | None, _feed: Mapping[str, Tensor]) -> list[Tensor]:
        if self.answer is None:
            raise StageFailed("network", "broke down")
        return [self.answer]

    def get_inputs(self) -> Sequence[Node]:
        return []

    def get_outputs(self) -> Sequence[Node]:
        return []


@dataclass
class FakeEngine:
    """Opens in the precisions it has an answer for; None stands for a network that breaks down."""

    provider: str = "openvino"
    reduced: str | None = "bf16"
    answers: Mapping[str, Tensor | None] = field(default_factory=lambda: {"fp32": ANSWER, "bf16": ANSWER})
    opened: list[str] = field(default_factory=list)

    def open(self, network: Network, precision: str) -> FakeSession:
        self.opened.append(precision)
        if precision not in self.answers:
            raise EngineFailed(f"{network.name}: some words of a library")
        return FakeSession(self.answers[precision])


def plain() -> FakeEngine:
    return FakeEngine("cpu", None, {"fp32": ANSWER})


def test_what_agrees_in_less_than_fp32_runs_in_it() -> None:
    sessions = Sessions(FakeEngine(), plain())

    sessions(NETWORK)

    assert sessions.opened == (OpenedSession("network", "openvino", "bf16"),)


@pytest.mark.parametrize(
    ("in_bf16", "complaint"),
    [
        (ANSWER + np.float32(0.0625), "off by 0.0625 of fp32's spread, 0.05 are tolerated"),
        (np.zeros_like(ANSWER), "an output is constant"),
        (None, "it cannot be run"),
    ],
    ids=["off", "black", "broken"],
)
def test_what_disagrees_runs_in_fp32_and_says_so(in_bf16: Tensor | None, complaint: str) -> None:
    sessions = Sessions(FakeEngine(answers={"fp32": ANSWER, "bf16": in_bf16}), plain(), strict=True)

    session = sessions(NETWORK)

    assert sessions.opened == (OpenedSession("network", "openvino", "fp32", f"not in bf16, {complaint}"),)
    assert session.run(None, PROBE)[0] is ANSWER


def test_each_network_has_its_own_tolerance() -> None:
    engine = FakeEngine(answers={"fp32": ANSWER, "bf16": ANSWER + np.float32(0.0625)})
    sessions = Sessions(engine, plain())

    sessions(Network("tolerant", b"", PROBE, tolerance=0.07))

    assert sessions.opened == (OpenedSession("tolerant", "openvino", "bf16"),)


def test_a_network_without_a_probe_runs_in_fp32_unproved() -> None:
    engine = FakeEngine()
    sessions = Sessions(engine, plain())

    sessions(Network("network", b"", {}))

    (opened,) = sessions.opened
    assert (opened.precision, opened.note) == ("fp32", "not in bf16, it brings no probe to try it with")
    assert engine.opened == ["fp32"]


BROKEN = FakeEngine(answers={"bf16": np.zeros_like(ANSWER)})


def test_what_cannot_run_where_it_was_asked_for_runs_on_the_processor_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sessions = Sessions(BROKEN, plain())

    with caplog.at_level(logging.INFO):
        sessions(NETWORK)

    (opened,) = sessions.opened
    assert (opened.provider, opened.precision) == ("cpu", "fp32")
    assert opened.note == "not on openvino: not in bf16, an output is constant; not in fp32, it cannot be run"
    assert "some words of a library" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING
    assert caplog.records[-1].getMessage() == f"network runs on cpu in fp32: {opened.note}"


def test_in_strict_mode_it_keeps_the_server_from_starting() -> None:
    with pytest.raises(
        ProviderUnavailable, match=r"^PREDICTOR_STRICT_PROVIDER: network cannot run as asked, not on openvino: "
    ) as caught:
        Sessions(BROKEN, plain(), strict=True)(NETWORK)

    assert "some words of a library" not in caught.value.sentence


def test_one_line_of_log_a_network(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Sessions(FakeEngine(), plain())(NETWORK)

    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [
        (logging.INFO, "network runs on openvino in bf16")
    ]


def test_a_network_that_nothing_can_open_is_named_in_our_words() -> None:
    with pytest.raises(StartupError, match=r"^network cannot be opened: ONNX Runtime takes it for no network$"):
        Sessions(FakeEngine(), FakeEngine("cpu", None, {}), strict=True)(NETWORK)


def test_a_network_that_breaks_down_on_its_own_probe_cannot_be_run() -> None:
    with pytest.raises(StartupError, match=r"^network cannot be run: it breaks down on its probe$"):
        Sessions(FakeEngine(), FakeEngine("cpu", None, {"fp32": None}))(NETWORK)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"gone\.onnx does not exist"):
        Sessions(FakeEngine(), plain())(Network("sums", tmp_path / "gone.onnx", {}))


@pytest.mark.parametrize(
    ("precision", "tried"), [("auto", ["bf16", "fp32"]), ("bf16", ["bf16", "fp32"]), ("fp32", ["fp32"])]
)
def test_a_precision_is_where_the_trying_begins(precision: str, tried: list[str]) -> None:
    engine = FakeEngine(answers={})

    Sessions(engine, plain(), precision)(NETWORK)

    assert engine.opened == tried


def test_a_precision_that_the_engine_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(
        ProviderUnavailable,
        match=r"^PREDICTOR_PRECISION: fp16 cannot be had from the provider openvino .* one of auto, fp32, bf16$",
    ):
        Sessions(FakeEngine(), plain(), "fp16")
    with pytest.raises(ProviderUnavailable, match=r"from the provider cpu .* one of auto, fp32$"):
        Sessions(plain(), plain(), "bf16")


def test_the_processor_is_not_compared_with_itself(network: Path) -> None:
    sessions = session_opener("cpu", strict=True)

    session = sessions(Network("sums", network, {"picture": np.ones((10, 3, 32, 32), np.float32)}))

    assert session.run(None, {"picture": np.ones((10, 3, 32, 32), np.float32)})[0].shape == (10, 1, 16, 16)
    assert sessions.opened == (OpenedSession("sums", "cpu", "fp32"),)


def test_a_session_has_the_threads_that_were_asked_for_or_else_all_there_are(network: Path) -> None:
    asked, unasked = (session_opener("cpu", n)(Network("sums", network, {})) for n in (3, None))

    assert asked._session.get_session_options().intra_op_num_threads == 3  # type: ignore[attr-defined]
    assert unasked._session.get_session_options().intra_op_num_threads == available_threads()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("provider", "has_card", "has_openvino", "expected"),
    [
        ("auto", True, True, "cuda"),
        ("auto", False, True, "openvino"),
        ("auto", False, False, "cpu"),
        ("cpu", True, True, "cpu"),
        ("openvino", True, True, "openvino"),
        ("cuda", True, True, "cuda"),
        ("tensorrt", True, False, "tensorrt"),
    ],
)
def test_auto_is_the_best_there_is_and_a_name_is_that(
    monkeypatch: pytest.MonkeyPatch, provider: str, expected: str, *, has_card: bool, has_openvino: bool
) -> None:
    def card(name: str, *_: object) -> FakeEngine:
        if not has_card:
            raise ProviderUnavailable("no card")
        return FakeEngine(name, "fp16", {"fp16": ANSWER})

    monkeypatch.setattr("predictor.runtime.onnx.GpuEngine", card)
    monkeypatch.setattr("predictor.runtime.openvino.OpenVinoEngine", lambda _: FakeEngine())
    monkeypatch.setattr("predictor.runtime.onnx.OnnxEngine", lambda _: plain())
    monkeypatch.setattr(providers, "is_installed", lambda name: name == "openvino" and has_openvino)

    sessions = session_opener(provider)
    sessions(NETWORK)

    assert [one.provider for one in sessions.opened] == [expected]


def test_openvino_without_its_package_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "is_installed", lambda _: False)

    with pytest.raises(ProviderUnavailable, match=r"^PREDICTOR_PROVIDER: openvino cannot be had, .* extra openvino"):
        session_opener("openvino")


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_card_without_its_build_is_refused_with_what_to_install(provider: str) -> None:
    with pytest.raises(ProviderUnavailable, match=f"^PREDICTOR_PROVIDER: {provider} cannot be had, .* the extra cuda"):
        session_opener(provider)


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(StartupError, match="'abacus'; choose one of auto, cpu, openvino, cuda, tensorrt"):
        session_opener("abacus")
    with pytest.raises(StartupError, match="'int8'; choose one of auto, fp32, bf16, fp16"):
        session_opener(precision="int8")


def test_openvino_agrees_with_onnx_runtime_on_a_real_network(network: Path, rng: np.random.Generator) -> None:
    probe = {"picture": rng.uniform(size=(10, 3, 32, 32)).astype(np.float32)}
    sessions = session_opener("openvino", strict=True)

    session = sessions(Network("sums", network, probe))

    (given,), (expected,) = (
        one.run(None, probe) for one in (session, OnnxEngine(1).open(Network("sums", network, {})))
    )
    assert np.allclose(given, expected, rtol=2**-7)
    assert [(one.provider, one.note) for one in sessions.opened] == [("openvino", "")]
