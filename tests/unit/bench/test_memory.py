from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image as PillowImage

from predictor.bench.memory import follow, growth, plot, requests
from predictor.client.server_process import free_ports, serving

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_server_takes_until_it_has_met_every_shape_is_no_growth() -> None:
    assert growth([10.0 * n for n in range(50)] + [500.0] * 450) == 0.0
    assert growth([500.0] * 250 + [600.0] * 250) == pytest.approx(0.2)


def test_too_few_requests_tell_nothing() -> None:
    with pytest.raises(ValueError, match="50"):
        growth([1.0] * 50)


def test_the_mix_holds_every_model_and_restoring() -> None:
    mixed = list(islice(requests(), 40))

    assert {model for model, _ in mixed} == {"faceswap", "faceswap-enhance", "faceswap-detect"}
    assert any(body.get("restore") is True for _, body in mixed)
    assert {body["upscale"] for model, body in mixed if model == "faceswap-enhance"} == {2, 4}
    assert len({len(json.dumps(body)) for _, body in mixed}) > 20


def test_a_real_server_is_followed(tmp_path: Path) -> None:
    http_port, grpc_port = free_ports(2)
    settings = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "0"}
    with serving(settings, log=tmp_path / "log") as server:
        resident = follow(server.http_url, server.process.pid, 4)

    assert len(resident) == 4
    assert all(100 < one < 4000 for one in resident)


def test_a_refused_request_ends_it(tmp_path: Path) -> None:
    http_port, grpc_port = free_ports(2)
    settings = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "0"}
    settings |= {"LIMIT_PIXELS": "1000"}
    with serving(settings, log=tmp_path / "log") as server, pytest.raises(httpx.HTTPStatusError):
        follow(server.http_url, os.getpid(), 1)


def test_a_plot_is_a_picture(tmp_path: Path) -> None:
    plot([float(n) for n in range(60)], tmp_path / "memory.png")

    with PillowImage.open(tmp_path / "memory.png") as picture:
        assert picture.size == (900, 400)
