"""The outside world: KServe V1, V2 REST and V2 gRPC over one service.

Two packages act on what they find when they are imported: KServe parses `sys.argv`, so ours is out of its sight for
that moment; OpenTelemetry raises where OTEL_PROPAGATORS has a name that it does not know.
"""

import os
import sys

from predictor.serving.propagators import NOT_INSTALLED, hide_unknown_propagators

NOT_INSTALLED.extend(hide_unknown_propagators(os.environ))
_ours, sys.argv = sys.argv, sys.argv[:1]
try:
    import kserve.model_server  # noqa: F401  # its only purpose here is to have been imported now
finally:
    sys.argv = _ours
