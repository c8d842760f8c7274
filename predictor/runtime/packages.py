"""Which runtimes are installed: builds of ONNX Runtime share one folder, and two of them spoil each other."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from predictor.errors import StartupError

_BUILDS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")


def require_one_runtime() -> None:
    """Check that exactly one build of ONNX Runtime is installed.

    Raises:
        StartupError: None is, or more than one.
    """
    installed = [build for build in _BUILDS if is_installed(build)]
    if not installed:
        raise StartupError("ONNX Runtime is not installed; install one of the extras cpu, openvino and cuda")
    if len(installed) > 1:
        raise StartupError(
            f"{' and '.join(installed)} are installed in one folder and spoil each other; uninstall both, then install "
            "one of the extras cpu, openvino and cuda"
        )


def is_installed(name: str) -> bool:
    """Return whether a package is installed; nothing of it is imported."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
