"""Graphs of the real architectures with random weights, for tests and the bench where real weights cannot be had."""
