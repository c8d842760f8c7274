"""Which files we run, and under which licence."""
