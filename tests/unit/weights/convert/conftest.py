"""Where torch is, the official packages can be imported by the tests of this folder, at their top as anywhere."""

from __future__ import annotations

import importlib.util

from predictor.weights.convert.official_packages import make_importable

if importlib.util.find_spec("torch"):
    make_importable()
