"""The same job done by the peers' own packages, as their users call them: the yardstick of parity and speed."""
