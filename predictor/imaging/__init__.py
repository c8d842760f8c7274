"""Pixels only: no models, no requests."""
