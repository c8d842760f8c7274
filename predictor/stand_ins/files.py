"""Writes stand-ins under the names that the manifest gives the real files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from predictor.stand_ins import gfpgan, inswapper, iresnet, parsenet, rrdb, scrfd, srvgg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Size = Literal["tiny", "full"]
"""`full` costs what the real file costs; `tiny` has the same inputs and outputs, and takes milliseconds."""


def write(folder: Path, size: Size, names: Sequence[str] | None = None) -> list[Path]:
    """Write stand-ins into a folder, made if need be; the same size gives the same bytes.

    Args:
        folder: Files there of the same names are replaced.
        size: How much a run shall cost.
        names: Of FILES; None is every one.

    Returns:
        The files, in the order of the names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in FILES if names is None else names:
        path = folder / name
        path.write_bytes(FILES[name](size))
        paths.append(path)
    return paths


def _det_10g(size: Size) -> bytes:
    return scrfd.scrfd(scrfd.FULL if size == "full" else scrfd.TINY)


def _w600k_r50(size: Size) -> bytes:
    return iresnet.iresnet(iresnet.FULL if size == "full" else iresnet.TINY)


def _inswapper_128(size: Size) -> bytes:
    return inswapper.inswapper(inswapper.FULL if size == "full" else inswapper.TINY)


def _gfpgan(size: Size, modulated: gfpgan.Modulated) -> bytes:
    dimensions = gfpgan.FULL if size == "full" else gfpgan.TINY
    return gfpgan.gfpgan(dimensions, gfpgan.gfpgan_state(dimensions), modulated)


def _gfpgan_with_modulated_weights(size: Size) -> bytes:
    return _gfpgan(size, "weights")


def _gfpgan_with_modulated_input(size: Size) -> bytes:
    return _gfpgan(size, "input")


def _parsenet(size: Size) -> bytes:
    return parsenet.parsenet(parsenet.FULL if size == "full" else parsenet.TINY)


def _x4v3(size: Size) -> bytes:
    dimensions = srvgg.FULL if size == "full" else srvgg.TINY
    return srvgg.srvgg(dimensions, srvgg.srvgg_state(dimensions))


def _rrdb(dimensions: rrdb.Size) -> bytes:
    return rrdb.rrdb(dimensions, rrdb.rrdb_state(dimensions))


def _x4plus(size: Size) -> bytes:
    return _rrdb(rrdb.FULL_X4 if size == "full" else rrdb.TINY_X4)


def _x2plus(size: Size) -> bytes:
    return _rrdb(rrdb.FULL_X2 if size == "full" else rrdb.TINY_X2)


FILES: dict[str, Callable[[Size], bytes]] = {
    "det_10g.onnx": _det_10g,
    "w600k_r50.onnx": _w600k_r50,
    "inswapper_128.onnx": _inswapper_128,
    "GFPGANv1.4.onnx": _gfpgan_with_modulated_weights,
    "gfpgan_1.2.onnx": _gfpgan_with_modulated_input,
    "gfpgan_1.3.onnx": _gfpgan_with_modulated_input,
    "gfpgan_1.4.onnx": _gfpgan_with_modulated_input,
    "parsenet.onnx": _parsenet,
    "realesr-general-x4v3.onnx": _x4v3,
    "real_esrgan_x4v3.onnx": _x4v3,
    "real_esrgan_x4plus.onnx": _x4plus,
    "real_esrgan_x2plus.onnx": _x2plus,
}
"""How each file is made. All GFPGAN files are the same function, and so are both of x4v3."""
