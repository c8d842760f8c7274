"""Swap, restore and find faces, served by KServe.

    cli → scaling → serving, client → loader → service → engines, destinations, policy → pipeline → detectors, swappers,
    restorers, upsamplers → requests → stages → imaging, runtime → faces, options, job, settings → errors

Imports point down this line only. `faces` holds the nouns, `stages` the contracts of the models, `pipeline` the order
of the work, `engines` the recipes, `service` the way from request to answer; `serving` is the only place that knows
KServe, `scaling` the only one that knows Ray, `runtime` the only one that knows ONNX Runtime. Nothing happens at
import: `loader.load` builds everything once and hands it down.
"""

from predictor.errors import PredictorError
from predictor.faces import Box, Face, left_to_right
from predictor.options import EnhanceOptions, OutputOptions, Pair, RestoreOptions, SwapOptions

__version__ = "0.1.0"

__all__ = [
    "Box",
    "EnhanceOptions",
    "Face",
    "OutputOptions",
    "Pair",
    "PredictorError",
    "RestoreOptions",
    "SwapOptions",
    "__version__",
    "left_to_right",
]
