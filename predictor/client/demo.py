"""`make demo`: run a predictor, swap faces through it over every protocol, and lay the pictures out on one sheet."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from predictor.client.calls import (
    CallSwap,
    Swap,
    Swapped,
    detect,
    swap_over_grpc,
    swap_over_v1,
    swap_over_v2_binary,
    swap_over_v2_json,
)
from predictor.client.contact_sheet import Panel, Row, save_contact_sheet
from predictor.client.samples import ASTRONAUT, GRACE_HOPPER, SIX_FACES, fill_folder
from predictor.client.server_process import RunningServer, free_ports, serving, termination_as_interrupt
from predictor.errors import PredictorError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRELOADED = (GRACE_HOPPER, SIX_FACES)
_CALLS_EACH = 3
_UPLOADED_SOURCE_FACE = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """One protocol's answer, and how long it took."""

    protocol: str
    swapped: list[Swapped]
    milliseconds: float
    """Median of the calls, as the client saw them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 if all went well, 1 with one sentence on stderr if not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("out/demo"), help="folder for the pictures (%(default)s)")
    output: Path = parser.parse_args(arguments).output
    try:
        with termination_as_interrupt():
            return _run(output)
    except PredictorError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _run(output: Path) -> int:
    destinations = output / "destinations"
    fill_folder(destinations, _PRELOADED)
    http_port, grpc_port = free_ports(2)
    settings = {
        "HTTP_PORT": str(http_port),
        "GRPC_PORT": str(grpc_port),
        "DESTINATIONS_DIR": str(destinations),
        "MODEL_NAME": "faceswap",
        "DRAIN_DELAY_SECONDS": "0",  # nobody else calls it
    }
    with serving(settings, log=output / "server.log") as server:
        print(f"the predictor listens on {server.http_url} (REST) and {server.grpc_address} (gRPC)")
        with httpx.Client(base_url=server.http_url, timeout=60.0) as http:
            measured = _call_every_protocol(http, server)
            rows = [*_rows_of_preloaded(http, measured[0].swapped), _row_of_uploaded(http)]
    print("the predictor is stopped\n")
    return report(output, measured, rows)


def _call_every_protocol(http: httpx.Client, server: RunningServer) -> list[Measured]:
    import grpc  # noqa: PLC0415  # only where a channel is opened

    swap = Swap(ASTRONAUT.read(), options={"destination_face_id": "all"})
    with grpc.insecure_channel(server.grpc_address, [("grpc.max_receive_message_length", -1)]) as channel:
        callers: dict[str, CallSwap] = {
            "V1 REST": partial(swap_over_v1, http),
            "V2 REST, JSON": partial(swap_over_v2_json, http),
            "V2 REST, binary": partial(swap_over_v2_binary, http),
            "V2 gRPC": partial(swap_over_grpc, channel),
        }
        return [_measure(protocol, call, swap) for protocol, call in callers.items()]


def _measure(protocol: str, call: CallSwap, swap: Swap) -> Measured:
    swapped = call(swap)  # the first call opens the connection
    seconds = []
    for _ in range(_CALLS_EACH):
        began = time.perf_counter()
        swapped = call(swap)
        seconds.append(time.perf_counter() - began)
    return Measured(protocol, swapped, statistics.median(seconds) * 1000)


def _rows_of_preloaded(http: httpx.Client, swapped: Sequence[Swapped]) -> list[Row]:
    results = {each.destination_name: each.picture for each in swapped}
    source = ASTRONAUT.read()
    return [
        Row(
            f"The astronaut onto every face of {sample.name}, which the server had preloaded",
            Panel(source, ASTRONAUT.caption, _boxes(http, source)),
            Panel(sample.read(), sample.caption, _boxes(http, sample.read())),
            Panel(results[sample.name], "altered"),
        )
        for sample in _PRELOADED
    ]


def _row_of_uploaded(http: httpx.Client) -> Row:
    source, destination = SIX_FACES.read(), ASTRONAUT.read()
    swap = Swap(source, [destination], {"source_face_id": _UPLOADED_SOURCE_FACE})
    (swapped,) = swap_over_v1(http, swap)
    return Row(
        f"Face {_UPLOADED_SOURCE_FACE} of {SIX_FACES.name} onto the astronaut, both sent with the call",
        Panel(source, SIX_FACES.caption, _boxes(http, source)),
        Panel(destination, ASTRONAUT.caption, _boxes(http, destination)),
        Panel(swapped.picture, "altered"),
    )


def _boxes(http: httpx.Client, picture: bytes) -> list[tuple[int, Sequence[float]]]:
    return [(face["id"], face["box"]) for face in detect(http, picture)]


def report(output: Path, measured: Sequence[Measured], rows: Sequence[Row]) -> int:
    """Write the pictures and the sheet, print the table; return 1 if the protocols' pictures differ, else 0."""
    paths = [_save(output, name, row.result.picture) for name, row in zip(_names(), rows, strict=True)]
    sheet = output / "contact_sheet.png"
    footer = "Every result is an altered picture and says so in its metadata. Recipe: embedded, no weights."
    save_contact_sheet(sheet, "Swapped by a running KServe predictor", rows, footer)
    equal = [each.swapped == measured[0].swapped for each in measured]
    print(f"{'protocol':<18}{'ms':>8}{'pictures':>10}{'bytes':>12}   same bytes as V1")
    for each, same in zip(measured, equal, strict=True):
        size = sum(len(swapped.picture) for swapped in each.swapped)
        line = f"{each.protocol:<18}{each.milliseconds:>8.0f}{len(each.swapped):>10}{size:>12,}"
        print(f"{line}   {'yes' if same else 'NO'}")
    print("\npictures:       " + "\n                ".join(str(path) for path in paths))
    print(f"contact sheet:  {sheet}")
    return 0 if all(equal) else 1


def _names() -> list[str]:
    return [f"astronaut_onto_{Path(sample.name).stem}" for sample in _PRELOADED] + ["six_faces_onto_astronaut"]


def _save(output: Path, name: str, picture: bytes) -> Path:
    ending = ".png" if picture.startswith(b"\x89PNG") else ".jpg"
    path = output / f"{name}{ending}"
    path.write_bytes(picture)
    return path


if __name__ == "__main__":
    sys.exit(main())
