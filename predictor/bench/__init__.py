"""Ours against the peers' own packages: time, processor time and memory, in turns in one run."""
