from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import onnxruntime
import pytest

from predictor.errors import ConversionFailed, PackagesMissing
from predictor.weights.convert import convert

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_torch
