"""Graphs of the real architectures with random weights, for tests and the bench where real weights cannot be had."""

from predictor.stand_ins.files import FILES, Size, write

__all__ = ["FILES", "Size", "write"]
