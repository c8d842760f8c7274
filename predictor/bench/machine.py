"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "onnxruntime", "onnxruntime-gpu", "openvino", "insightface", "torch", "gfpgan", "realesrgan", "numpy",
    "opencv-python-headless",
)  # fmt: skip
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def describe(threads: int) -> dict[str, object]:
    """Return the processor, its telling flags, memory, threads, load and versions."""
    facts = _processor(Path("/proc/cpuinfo").read_text())
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": facts["model name"],
        "flags": [flag for flag in _TELLING_FLAGS if flag in facts["flags"].split()],
        "threads": threads,
        "memory_gib": round(pages * size / 2**30, 1),
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _installed(name))},
    }


def _processor(text: str) -> dict[str, str]:
    """Return the first processor's fields; "unknown" and no flags where the system names none (as on ARM)."""
    fields = (line.partition(":") for line in text.split("\n\n", maxsplit=1)[0].splitlines())
    return {"model name": "unknown", "flags": ""} | {name.strip(): value.strip() for name, _, value in fields}


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
