"""`make serve`: keep a predictor running with sample pictures to swap onto, and print a call that works."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.client.samples import ASTRONAUT, GRACE_HOPPER, SIX_FACES, fill_folder
from predictor.client.server_process import serving, termination_as_interrupt
from predictor.errors import PredictorError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS = """
The predictor is ready: REST on {http_url}, gRPC on {grpc_address}. Ctrl-C stops it.
It has preloaded {names}. In another terminal:

    {call}

puts the astronaut's face onto {destination}; open {picture} to see it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the server's own exit code, or 1 if it did not start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/serve"), help="folder for the samples (%(default)s)")
    folder: Path = parser.parse_args(arguments).folder
    settings = {"DESTINATIONS_DIR": str(folder / "destinations"), "DRAIN_DELAY_SECONDS": "0"}  # Ctrl-C stops it at once
    try:
        destinations = fill_folder(folder / "destinations", (GRACE_HOPPER, SIX_FACES))
        request = write_request(folder / "request.json", GRACE_HOPPER.name)
        with termination_as_interrupt(), serving(settings) as server:
            picture = folder / "swapped.jpg"
            words = _WORDS.format(
                http_url=server.http_url,
                grpc_address=server.grpc_address,
                names=" and ".join(path.name for path in destinations),
                call=curl_command(f"{server.http_url}/v1/models/{server.model}:predict", request, picture),
                destination=GRACE_HOPPER.name,
                picture=picture,
            )
            print(words, flush=True)
            return server.process.wait()
    except PredictorError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def write_request(path: Path, destination: str) -> Path:
    """Write the body of a V1 swap of the astronaut onto one preloaded picture."""
    path.write_text(
        json.dumps({"image": base64.b64encode(ASTRONAUT.read()).decode(), "destinations": [destination]}) + "\n"
    )
    return path


def curl_command(url: str, request: Path, picture: Path) -> str:
    """Return a shell line that sends the body and writes the first picture of the answer; needs curl and Python."""
    decode = (
        "import base64, json, sys; "
        "sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)['swapped_images'][0]['image_data']))"
    )
    return (
        f"curl --silent --header 'Content-Type: application/json' --data @{request} "
        f'{url} | python3 -c "{decode}" > {picture}'
    )


if __name__ == "__main__":
    sys.exit(main())
