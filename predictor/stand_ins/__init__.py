"""Graphs of the real architectures with random weights, for tests and the bench where real weights cannot be had."""

from predictor.stand_ins.files import FILES, Size, write
from predictor.stand_ins.manifest import write_manifest
from predictor.stand_ins.marks import mark

__all__ = ["FILES", "Size", "mark", "write", "write_manifest"]
