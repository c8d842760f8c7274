"""The outside world: KServe V1, V2 REST and V2 gRPC over one service.

KServe parses `sys.argv` when it is imported, so ours is out of its sight for that moment.
"""

import sys

_ours, sys.argv = sys.argv, sys.argv[:1]
try:
    import kserve.model_server  # noqa: F401  # its only purpose here is to have been imported now
finally:
    sys.argv = _ours
