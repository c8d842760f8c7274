"""`make fuzz`: so many drawn requests, then the bombs, at the models in this process and a share at a real server.

In this process all is real but the stages behind the decoder, which are quick; the server has the embedded recipe.
Every one has to end as a picture or a typed error, the same in both places; the server has to be as healthy after as
before. The log says what was drawn (by which seed), how it ended, what was slowest, and how much memory it took.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from predictor.client.server_process import free_ports, serving
from tests.hostile.attacks import Attack, fuzz
from tests.hostile.files import BOMBS
from tests.hostile.health import MOST_RESIDENT_BYTES, Target, peak_bytes
from tests.hostile.workshop import OK, Workshop
from tests.serving.wire import Ask, RestRequest

BATCH = 1000
_GIB = 2**30
_NEVER = {"crash", "internal", "deadline_exceeded", "overloaded", "not_ready"}
_OF_FACES = {"no_face_found", "face_index_out_of_range", "degenerate_face", "too_many_faces", "unsupported_option"}


@dataclass
class Tally:
    """How the attacks have ended so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    inputs: int = 0
    asked: int = 0
    """Of them, the server's."""
    slowest: tuple[float, Attack | None] = (0.0, None)
    findings: list[tuple[str, Attack]] = field(default_factory=list)


class Fuzzer:
    """Gives attacks to the models here, and some of them to a server, and keeps account.

    Args:
        workshop: The models in this process.
        target: The server.
        one_in: Of the drawn requests, how many there are to one that the server gets as well.
    """

    def __init__(self, workshop: Workshop, target: Target, one_in: int) -> None:
        self._one_in = one_in
        self._workshop = workshop
        self._target = target
        self._channel = target.grpc()
        self.tally = Tally()

    def take(self, attack: Attack, *, codes: Collection[str] = (), also_the_server: bool | None = None) -> None:
        """Try one attack, which is to end with one of these codes, if any are given."""
        tally = self.tally
        began = time.monotonic()
        outcome = self._workshop.outcome(attack)
        seconds = time.monotonic() - began
        if seconds > tally.slowest[0]:
            tally.slowest = (seconds, attack)
        tally.outcomes[f"{attack.protocol} {outcome.split(':')[0]}"] += 1
        tally.inputs += 1
        if (codes and outcome not in codes) or outcome.split(" ")[0] in _NEVER:
            tally.findings.append((outcome, attack))
        if tally.inputs % self._one_in == 0 if also_the_server is None else also_the_server:
            tally.asked += 1
            if _kind(there := self._asked(attack)) != _kind(outcome):
                tally.findings.append((f"{outcome} here, {there} at the server", attack))

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _asked(self, attack: Attack) -> str:
        if attack.protocol == "grpc":
            return self._asked_by_grpc(attack)
        path = f"/v1/models/{attack.model}:predict" if attack.protocol == "v1" else f"/v2/models/{attack.model}/infer"
        headers = {} if attack.json_length is None else {"inference-header-content-length": attack.json_length}
        answer = self._target.ask(RestRequest("POST", path, attack.data, headers))
        return OK if answer.status == 200 else str(answer.json["code"])

    def _asked_by_grpc(self, attack: Attack) -> str:
        call: Any = self._channel.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        future = call.future(attack.data, timeout=300)
        if future.exception() is None:
            return OK
        return str(dict(future.trailing_metadata() or ()).get("error-code", f"{future.code()} without our code"))


def _kind(outcome: str) -> str:
    """Return an outcome, but for what depends on the faces: the stages here are fakes, and find one in everything."""
    return OK if outcome in _OF_FACES else outcome


def run(fuzzer: Fuzzer, target: Target, count: int, seed: int, say: Callable[[str], None]) -> None:
    """Try that many drawn attacks, then every bomb; a batch has a seed of its own, so that each can be drawn again."""
    tally = fuzzer.tally
    while (done := tally.inputs) < count:
        began = time.monotonic()
        fuzz(min(BATCH, count - done), seed, fuzzer.take)
        say(
            f"seed {seed}: {tally.inputs - done} in {time.monotonic() - began:.0f} s, together {tally.inputs}; "
            f"findings {len(tally.findings)}, slowest {tally.slowest[0]:.1f} s, {_memory(target)}"
        )
        target.check()
        seed += 1
    for name, (make, codes) in BOMBS.items():
        began = time.monotonic()
        body = Ask("faceswap-detect", make()).rest().body or b""
        fuzzer.take(Attack("v1", "faceswap-detect", body), codes=codes, also_the_server=True)
        say(f"{name}: {time.monotonic() - began:.1f} s in both places, {_memory(target)}")
    target.check()


def summary(tally: Tally, target: Target) -> str:
    """Return what the log ends with."""
    lines = [f"inputs {tally.inputs}, of them at the server too {tally.asked}", f"peak resident: {_memory(target)}"]
    seconds, slowest = tally.slowest
    if slowest is not None:
        lines.append(
            f"slowest: {seconds:.2f} s, {slowest.protocol} {slowest.model}, {len(slowest.data):,} bytes (slowest.bin)"
        )
    lines += [f"{number:7d}  {outcome}" for outcome, number in sorted(tally.outcomes.items())]
    lines.append(f"findings: {len(tally.findings)}")
    return "\n".join(lines + [f"finding {number}: {what[:300]}" for number, (what, _) in enumerate(tally.findings)])


def _memory(target: Target) -> str:
    return f"here {peak_bytes() / _GIB:.2f} GiB, the server {target.peak_bytes() / _GIB:.2f} GiB"


def main() -> int:
    """Run for as long as it takes; return 1 if there was a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=50_000, help="requests to draw (default 50000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first batch (default 0)")
    parser.add_argument(
        "--server-one-in", metavar="N", type=int, default=100, help="one of N goes to the server as well (default 100)"
    )
    parser.add_argument("--output", type=Path, default=Path("out/fuzz"), help="folder for the log (default out/fuzz)")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    http_port, grpc_port = free_ports(2)
    settings = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "0"}
    server_log = options.output / "server.log"
    with (
        (options.output / "fuzz.log").open("w", buffering=1) as log,
        serving(settings, log=server_log) as running,
        Workshop() as workshop,
    ):

        def say(line: str) -> None:
            for stream in (log, sys.stdout):
                print(time.strftime("%H:%M:%S"), line, file=stream, flush=True)

        target = Target.of(running, server_log)
        fuzzer = Fuzzer(workshop, target, options.server_one_in)
        say(f"{options.count} requests, seeds from {options.seed}, {BATCH} each")
        run(fuzzer, target, options.count, options.seed, say)
        fuzzer.close()
        say(summary(fuzzer.tally, target))
        _keep(fuzzer.tally, options.output)
        too_large = max(peak_bytes(), target.peak_bytes()) >= MOST_RESIDENT_BYTES
    return 1 if fuzzer.tally.findings or too_large else 0


def _keep(tally: Tally, folder: Path) -> None:
    """Write the slowest input and those of the findings, to be tried again."""
    if tally.slowest[1] is not None:
        (folder / "slowest.bin").write_bytes(tally.slowest[1].data)
    for number, (_, attack) in enumerate(tally.findings):
        (folder / f"finding_{number}.bin").write_bytes(attack.data)


if __name__ == "__main__":
    sys.exit(main())
