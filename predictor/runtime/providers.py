"""Which engine runs a network, and in which precision: what was asked for, proved on every single network."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from predictor.errors import ProviderUnavailable, StageFailed, StartupError
from predictor.runtime.engine import EngineFailed, words_of
from predictor.runtime.gpu import engine_cache
from predictor.runtime.packages import is_installed, require_one_runtime
from predictor.runtime.self_test import disagreement
from predictor.runtime.session import OpenedSession
from predictor.runtime.threads import available_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.runtime.engine import Engine
    from predictor.runtime.session import Network, Session, Tensor

PROVIDERS = ("auto", "cpu", "openvino", "cuda", "tensorrt")
"""The names a deployment may give; `auto` is the best one this build and machine have."""
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
"""The precisions a deployment may ask for; `auto` is less than fp32 where the engine is faster in it."""

_log = logging.getLogger(__name__)


class Sessions:
    """Opens every session of this process, and remembers how each one really runs.

    What runs on anything but ONNX Runtime on the processor has to agree with that on the network's own probe, in less
    than fp32 first, then in fp32; what agrees in neither runs on ONNX Runtime.

    Args:
        engine: Where networks shall run.
        plain: ONNX Runtime on the processor: the yardstick, and what a network falls back to.
        precision: `auto`, or one of fp32 and what the engine has below it.
        strict: Whether a network that would fall back to another provider keeps the server from starting.

    Raises:
        ProviderUnavailable: The engine does not have the precision.
    """

    def __init__(self, engine: Engine, plain: Engine, precision: str = "auto", *, strict: bool = False) -> None:
        if precision not in ("auto", "fp32", engine.reduced):
            others = ", ".join(["auto", "fp32", *filter(None, [engine.reduced])])
            raise ProviderUnavailable(
                f"PREDICTOR_PRECISION: {precision} cannot be had from the provider {engine.provider} on this machine; "
                f"choose one of {others}"
            )
        self._engine = engine
        self._plain = plain
        self._strict = strict
        self._precisions = ["fp32"] if precision == "fp32" or not engine.reduced else [engine.reduced, "fp32"]
        self._opened: list[OpenedSession] = []

    @property
    def opened(self) -> Sequence[OpenedSession]:
        """How every network runs, in the order in which they were opened."""
        return tuple(self._opened)

    def __call__(self, network: Network) -> Session:
        """Make a session of a network.

        Raises:
            StartupError: The file is missing, or is no network that can be run.
            ProviderUnavailable: It cannot run on the one provider that is allowed.
        """
        if not isinstance(network.model, bytes) and not network.model.is_file():
            raise StartupError(f"the network {network.model} does not exist")
        session, opened = self._open(network)
        self._opened.append(opened)
        _log.log(
            logging.INFO if opened.provider == self._engine.provider else logging.WARNING,
            "%s runs on %s in %s%s",
            opened.name,
            opened.provider,
            opened.precision,
            f": {opened.note}" if opened.note else "",
        )
        return session

    def _open(self, network: Network) -> tuple[Session, OpenedSession]:
        """Return the first session that agrees with the yardstick, and how it runs."""
        if self._engine is self._plain:
            return self._on_plain(network, "")
        reference, notes = self._reference(network), list[str]()
        for precision in self._precisions:
            session, complaint = self._tried(network, precision, reference)
            if session:
                return session, OpenedSession(network.name, self._engine.provider, precision, "; ".join(notes))
            notes.append(f"not in {precision}, {complaint}")
        note = f"not on {self._engine.provider}: {'; '.join(notes)}"
        if self._strict:
            raise ProviderUnavailable(f"PREDICTOR_STRICT_PROVIDER: {network.name} cannot run as asked, {note}")
        return self._on_plain(network, note)

    def _tried(self, network: Network, precision: str, reference: Sequence[Tensor]) -> tuple[Session | None, str]:
        """Return a session that agrees with the yardstick, or what is wrong with it."""
        if precision != "fp32" and not network.probe:
            return None, "it brings no probe to try it with"
        try:
            session = self._engine.open(network, precision)
            answers = session.run(None, network.probe) if network.probe else []
        except (EngineFailed, StageFailed) as error:
            _log.warning("%s in %s: %s", self._engine.provider, precision, words_of(error.__cause__ or error))
            return None, "it cannot be run"
        complaint = disagreement(reference, answers, network.tolerance)
        return (None, complaint) if complaint else (session, "")

    def _reference(self, network: Network) -> list[Tensor]:
        """Return the yardstick's answer to the probe; nothing of its session stays."""
        session, _ = self._on_plain(network, "")
        try:
            return session.run(None, network.probe) if network.probe else []
        except StageFailed as error:
            _log.error("%s: %s", network.name, words_of(error.__cause__ or error))
            raise StartupError(f"{network.name} cannot be run: it breaks down on its probe") from error

    def _on_plain(self, network: Network, note: str) -> tuple[Session, OpenedSession]:
        try:
            session = self._plain.open(network, "fp32")
        except EngineFailed as error:
            _log.error("%s", error)  # its traceback ends in a library
            raise StartupError(f"{network.name} cannot be opened: ONNX Runtime takes it for no network") from error
        return session, OpenedSession(network.name, self._plain.provider, "fp32", note)


def session_opener(
    provider: str = "auto", threads: int | None = None, precision: str = "auto", *, strict: bool = False
) -> Sessions:
    """Return what opens every session of this process.

    Args:
        provider: One of PROVIDERS.
        threads: How many work on one call; None is what the cgroup pays for.
        precision: One of PRECISIONS.
        strict: Whether a network that would run on another provider keeps the server from starting.

    Raises:
        StartupError: Not exactly one build of ONNX Runtime is installed, or there is no such name.
        ProviderUnavailable: This build or this machine cannot do what was asked for.
    """
    for asked, known, kind in ((provider, PROVIDERS, "provider"), (precision, PRECISIONS, "precision")):
        if asked not in known:
            raise StartupError(f"no {kind} is named {asked!r}; choose one of {', '.join(known)}")
    require_one_runtime()
    from predictor.runtime.onnx import OnnxEngine  # noqa: PLC0415  # where it is missing, that is said above

    count = available_threads() if threads is None else threads
    plain = OnnxEngine(count)
    engine = _best(count, plain) if provider == "auto" else _engine(provider, count, plain)
    return Sessions(engine, plain, precision, strict=strict)


def _best(threads: int, plain: Engine) -> Engine:
    """Return the best engine there is: a graphics card, or OpenVINO, which beats ONNX Runtime on every network here.

    TensorRT is nobody's default: it builds for minutes before the first answer.
    """
    for provider in ("cuda", "openvino"):
        try:
            return _engine(provider, threads, plain)
        except ProviderUnavailable as error:
            _log.debug("%s", error)
    return plain


def _engine(provider: str, threads: int, plain: Engine) -> Engine:
    """Return the engine of a provider.

    Raises:
        ProviderUnavailable: It cannot be had.
    """
    if provider == "cpu":
        return plain
    if provider == "openvino":
        if not is_installed("openvino"):
            raise ProviderUnavailable(
                "PREDICTOR_PROVIDER: openvino cannot be had, its package is not installed; install the extra openvino, "
                "or choose auto or cpu"
            )
        from predictor.runtime.openvino import OpenVinoEngine  # noqa: PLC0415  # the package is an extra

        return OpenVinoEngine(threads)
    from predictor.runtime.onnx import GpuEngine  # noqa: PLC0415

    return GpuEngine(provider, threads, engine_cache())
