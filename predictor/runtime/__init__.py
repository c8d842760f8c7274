"""How a network runs, not what it means."""

import os

# Read by ONNX Runtime when it is imported. Without it, it keeps an id of the machine and a log of use in the home
# folder, for its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
