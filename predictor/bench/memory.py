"""`python -m predictor.bench.memory`: a server's resident memory over many requests of mixed sizes, as a plot."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np
from tqdm import tqdm

from predictor.bench import scene
from predictor.bench.weights import choose
from predictor.client.server_process import free_ports, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from predictor.faces import Image

_SETTLED = 50
"""Requests after which memory has to be flat: every shape and buffer has been met by then."""
_WIDTHS = (1280, 320, 1920, 640, 960, 480, 2560)
_TIMEOUT_SECONDS = 300.0


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield model and body of requests without end: sizes, formats, faces, restoring and enlarging take turns."""
    picture, portrait = scene.six_faces().image, scene.source().image
    source = _encoded(portrait, ".jpg")
    sizes = cycle([_encoded(_scaled(picture, width), kind) for width in _WIDTHS for kind in (".jpg", ".png")])
    small = cycle([_encoded(_scaled(portrait, width), ".png") for width in (96, 128, 160, 200)])
    for number, image in enumerate(sizes):
        if number % 10 == 3:  # noqa: PLR2004  # the numbers below are the mix, and nothing else
            yield "faceswap-enhance", {"image": next(small), "restore": False, "upscale": (2, 4)[number // 10 % 2]}
        elif number % 10 == 6:  # noqa: PLR2004
            yield "faceswap-detect", {"image": image}
        else:
            destination = [{"name": "destination", "image": image}]
            restore = number % 10 == 8  # noqa: PLR2004
            yield "faceswap", {"image": source, "destinations": destination, "restore": restore, "report": restore}


def follow(url: str, pid: int, count: int) -> list[float]:
    """Send requests one after another and return the server's resident memory after each, in MiB."""
    resident = []
    with httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS) as http:
        for model, body in tqdm(islice(requests(), count), total=count, unit="request", disable=None):
            http.post(f"/v1/models/{model}:predict", json=body).raise_for_status()
            resident.append(resident_mib(pid))
    return resident


def growth(resident: Sequence[float], settled: int = _SETTLED) -> float:
    """Return how much larger the last tenth is than the tenth after so many samples, as a share.

    Raises:
        ValueError: There are no more samples than memory takes to settle.
    """
    if len(resident) <= settled:
        raise ValueError(f"memory settles within {settled} samples; {len(resident)} tell nothing")
    tenth = max(1, len(resident) // 10)
    return float(np.median(resident[-tenth:]) / np.median(resident[settled : settled + tenth])) - 1.0


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def plot(resident: Sequence[float], path: Path) -> None:
    """Write a plot, a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # a dependency of tests only

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(resident)
    axes.axvline(_SETTLED, color="grey", linestyle=":")
    axes.set(xlabel="requests", ylabel="resident memory, MiB", ylim=(0, max(resident) * 1.2))
    axes.set_title(f"{len(resident)} requests of mixed sizes: {growth(resident):+.1%} after the first {_SETTLED}")
    figure.savefig(path)


def main() -> None:
    """Start a server with the recipe `onnx`, send it requests, and write `memory.json` and `memory.png`."""
    parser = argparse.ArgumentParser(prog="python -m predictor.bench.memory", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder for the plot; stand-ins are kept in it")
    parser.add_argument("--count", type=int, default=500, help="how many requests (default %(default)s)")
    options = parser.parse_args()
    folder: Path = options.output.absolute()
    weights = choose(folder / "stand-ins")
    http_port, grpc_port = free_ports(2)
    settings = {name.removeprefix("PREDICTOR_"): value for name, value in weights.environment.items()}
    # a random SCRFD finds no face
    settings |= {"RECIPE": "onnx"} | ({"DETECTOR": "centerface"} if weights.random else {})
    settings |= {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "0"}
    with serving(settings, log=folder / "memory.log", timeout_seconds=_TIMEOUT_SECONDS) as server:
        resident = follow(server.http_url, server.process.pid, options.count)
    (folder / "memory.json").write_text(json.dumps({"resident_mib": resident, "growth": growth(resident)}), "utf-8")
    plot(resident, folder / "memory.png")
    sys.stdout.write(f"{folder / 'memory.png'}: {growth(resident):+.1%} after the first {_SETTLED} requests\n")


def _scaled(image: Image, width: int) -> Image:
    height = round(image.shape[0] * width / image.shape[1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _encoded(image: Image, extension: str) -> str:
    data = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
