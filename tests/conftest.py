"""What every test may use: a seeded generator, the sample pictures, and the switch that rewrites golden files."""

from __future__ import annotations

import importlib.util
import io
import signal

import hypothesis
import numpy as np
import pytest
from PIL import Image as PillowImage

from predictor.client.samples import ASTRONAUT, GRACE_HOPPER, SIX_FACES, Sample
from predictor.faces import Image

# Tests prove what happens, not how fast: a busy machine must not turn an example red.
hypothesis.settings.register_profile("patient", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell that starts the tests in the background has interrupts ignored, by them and by every process they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden pictures anew instead of comparing with them"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_torch = pytest.mark.skip(reason="the extra torch is not installed: make setup-torch")
    too_large = pytest.mark.skip(reason="takes minutes and gigabytes: asked for with -m full_size")
    no_cluster = pytest.mark.skip(reason="needs a Kubernetes with KServe: make test-cluster")
    no_ray = pytest.mark.skip(reason="starts a Ray of two nodes: make test-ray")
    has_torch = importlib.util.find_spec("torch") is not None
    asked = config.option.markexpr
    for item in items:
        if item.get_closest_marker("needs_torch") and not has_torch:
            item.add_marker(no_torch)
        if item.get_closest_marker("full_size") and "full_size" not in asked:
            item.add_marker(too_large)
        if item.get_closest_marker("ray") and "ray" not in asked:
            item.add_marker(no_ray)
        if item.get_closest_marker("cluster") and "cluster" not in asked:
            item.add_marker(no_cluster)


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden pictures are to be written anew."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives the same numbers in every run."""
    return np.random.default_rng(20260101)


def _pixels(sample: Sample) -> Image:
    pixels = np.array(PillowImage.open(io.BytesIO(sample.read())).convert("RGB"))
    pixels.setflags(write=False)  # shared by every test of the session
    return pixels


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """One face, 512x512, RGB, read-only."""
    return _pixels(ASTRONAUT)


@pytest.fixture(scope="session")
def grace_hopper() -> Image:
    """One face, 512x600, RGB, read-only."""
    return _pixels(GRACE_HOPPER)


@pytest.fixture(scope="session")
def six_faces() -> Image:
    """Six faces, 1280x886, RGB, read-only."""
    return _pixels(SIX_FACES)


@pytest.fixture(scope="session")
def astronaut_png() -> bytes:
    """The astronaut as it ships, a PNG."""
    return ASTRONAUT.read()


@pytest.fixture(scope="session")
def grace_hopper_jpeg() -> bytes:
    """Grace Hopper as she ships, a JPEG."""
    return GRACE_HOPPER.read()


@pytest.fixture(scope="session")
def six_faces_jpeg() -> bytes:
    """The six faces as they ship, a JPEG."""
    return SIX_FACES.read()
