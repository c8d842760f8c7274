"""Swap, restore and find faces, served by KServe.

    cli → serving, client → loader → engines, destinations, policy → pipeline → detectors, embedders, swappers,
    restorers, upsamplers → stages → imaging, runtime, weights → faces, options, settings → errors

Imports point down this line only. `faces` holds the nouns, `stages` the five contracts, `pipeline` the order of the
work, `engines` the recipes; `serving` is the only place that knows KServe, `runtime` the only one that knows
ONNX Runtime. Nothing happens at import: everything is built once by `loader` and handed down.
"""

__version__ = "0.1.0"
