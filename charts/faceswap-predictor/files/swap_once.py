"""What `helm test` runs in a pod: each service becomes ready, and swaps a face onto the portrait it was given.

Called with the seconds to wait and the models' addresses. The portrait is scikit-image's astronaut (NASA, public
domain), which is in the predictor's image; nothing of scikit-image is imported.
"""

import base64
import json
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path


def wait_until_ready(url: str, deadline: float) -> None:
    """Ask until the model says that it is ready."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if json.load(answer)["ready"] in {True, "True", "true"}:
                    return
                problem = "it says that it is not ready"
        except (OSError, ValueError, KeyError) as error:
            problem = str(error)
        if time.monotonic() > deadline:
            sys.exit(f"{url} did not become ready: {problem}")
        time.sleep(2)


def swap_once(url: str, portrait: str) -> int:
    """Swap the portrait onto itself; return the bytes of the picture."""
    body = {"image": portrait, "destinations": [{"name": "portrait", "image": portrait}]}
    request = urllib.request.Request(f"{url}:predict", json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            (swapped,) = json.load(answer)["swapped_images"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read().decode(errors='replace')}")
    picture = base64.b64decode(swapped["image_data"])
    if not (swapped["altered"] is True and picture.startswith(b"\x89PNG")):
        sys.exit(f"{url}: the answer holds no altered picture")
    return len(picture)


def main(seconds: str, *urls: str) -> None:
    """Try every service."""
    deadline = time.monotonic() + float(seconds)
    portrait = base64.b64encode((Path(find_spec("skimage").origin).parent / "data/astronaut.png").read_bytes()).decode()
    for url in urls:
        wait_until_ready(url, deadline)
        started = time.monotonic()
        size = swap_once(url, portrait)
        print(f"{url} is ready and swapped a face in {time.monotonic() - started:.2f} s ({size:,} bytes)", flush=True)


main(*sys.argv[1:])
