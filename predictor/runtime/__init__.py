"""How a network runs, not what it means."""
