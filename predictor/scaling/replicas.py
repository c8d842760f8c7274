"""The classes that Ray Serve runs: one stage each, with the methods of its contract for callers on other machines.

A replica builds its own stage alone, proves it, and answers with outcomes, never with exceptions. Swapper and restorer
put orders of different requests together: as many as have come while those before were at work, so that nobody is made
to wait for company. Ray's batches alone would begin to fill before that, and be of one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ray import serve

from predictor.scaling import workshop
from predictor.scaling.desk import Desk, Order
from predictor.scaling.outcomes import DetectorFacts, RestorerFacts, SwapperFacts, UpsamplerFacts
from predictor.serving.logs import configure_logging
from predictor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.faces import Crop, Identity, Image, Mask, SwappedCrop
    from predictor.scaling.desk import Check, Outcome
    from predictor.scaling.outcomes import Ticket

_log = logging.getLogger(__name__)
_BATCH_SECONDS = 0.002
"""For those that come at the same moment; an order that is alone waits no longer than this."""


class DetectorReplica:
    """A detector, and the embedder of the recipe if it has one."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        configure_logging(Settings(**settings))
        shop = workshop.workshop(settings, "detector")
        self._detector, self._embedder = shop.builder.detector(), shop.builder.embedder()
        self._running = shop.running
        self._prove()
        self._desk = Desk(self._prove)

    async def describe(self) -> DetectorFacts:
        """Return what callers must know."""
        return DetectorFacts(self._embedder.template if self._embedder else None, self._running)

    async def detect(self, ticket: Ticket, image: Image) -> Outcome:
        """Find faces."""
        return await self._desk.answer(Order(ticket), lambda check: self._detector.detect(image, check))

    async def embed(self, ticket: Ticket, crops: Sequence[Image]) -> Outcome:
        """Tell who faces are."""
        embedder = self._embedder
        assert embedder is not None  # noqa: S101  # nobody asks a replica for what it did not describe
        return await self._desk.answer(Order(ticket), lambda _: embedder.embed(crops))

    async def check_health(self) -> None:
        """Return while all is well."""
        await self._desk.check_health()

    def _prove(self) -> None:
        self._detector.detect(workshop.example_picture())
        if self._embedder:
            workshop.prove_embedder(self._embedder)


class SwapperReplica:
    """A swapper."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        configure_logging(Settings(**settings))
        shop = workshop.workshop(settings, "swapper")
        self._swapper = shop.builder.swapper()
        self._running = shop.running
        self._together = workshop.swaps_alike(self._swapper)
        if not self._together:
            _log.warning("crops come out otherwise in company than alone; requests are swapped one after another")
        self._desk = Desk(self._prove)
        self._free = asyncio.Event()
        self._free.set()
        self._swap_orders.set_max_batch_size(int(settings["ray_batch"]))  # type: ignore[attr-defined]  # Ray's decorator adds it

    async def describe(self) -> SwapperFacts:
        """Return what callers must know."""
        stage = self._swapper
        return SwapperFacts(
            stage.source_template,
            tuple(stage.templates),
            stage.trained,
            stage.needs_embedding,
            stage.least_scale,
            self._running,
        )

    async def swap(self, ticket: Ticket, crops: Sequence[Crop], identities: Sequence[Identity]) -> Outcome:
        """Swap the crops of one request, maybe together with those of others."""
        order = Order(ticket, crops, identities)
        try:
            await self._free.wait()
            return await self._swap_orders(order)
        finally:
            order.given_up = True

    async def batch_sizes(self) -> dict[int, int]:
        """Return how often so many orders, two or more, were worked on together."""
        return dict(self._desk.sizes)

    @serve.batch(batch_wait_timeout_s=_BATCH_SECONDS)
    async def _swap_orders(self, orders: list[Order]) -> list[Outcome]:
        self._free.clear()
        try:
            return await self._desk.answer_all(orders, self._swapped, together=self._together)
        finally:
            self._free.set()

    def _swapped(self, orders: Sequence[Order], check: Check) -> list[list[SwappedCrop]]:
        crops, identities = _joined(orders, 0), _joined(orders, 1)
        return _parted(self._swapper.swap(crops, identities, check), orders)

    async def check_health(self) -> None:
        """Return while all is well."""
        await self._desk.check_health()

    def _prove(self) -> None:
        identity, _ = workshop.example_identities(self._swapper)
        self._swapper.swap([workshop.example(self._swapper.templates[0])], [identity])


class RestorerReplica:
    """A restorer, and the parser of the recipe if it has one."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        configure_logging(Settings(**settings))
        shop = workshop.workshop(settings, "restorer")
        restorer = shop.builder.restorer()
        assert restorer is not None  # noqa: S101  # a recipe without one gets no such replica
        self._restorer, self._parser = restorer, shop.builder.parser()
        self._running = shop.running
        self._together = workshop.restores_alike(restorer)
        if not self._together:
            _log.warning("crops come out otherwise in company than alone; requests are restored one after another")
        self._prove()
        self._desk = Desk(self._prove)
        self._free = asyncio.Event()
        self._free.set()
        self._restore_orders.set_max_batch_size(int(settings["ray_batch"]))  # type: ignore[attr-defined]  # as above

    async def describe(self) -> RestorerFacts:
        """Return what callers must know."""
        parses = self._parser.template if self._parser else None
        return RestorerFacts(self._restorer.template, self._restorer.trained, parses, self._running)

    async def restore(self, ticket: Ticket, crops: Sequence[Image]) -> Outcome:
        """Restore the crops of one request, maybe together with those of others."""
        order = Order(ticket, crops)
        try:
            await self._free.wait()
            return await self._restore_orders(order)
        finally:
            order.given_up = True

    async def parse(self, ticket: Ticket, crops: Sequence[Image]) -> Outcome:
        """Tell where crops show the face."""
        return await self._desk.answer(Order(ticket), lambda _: self._parsed(crops))

    async def batch_sizes(self) -> dict[int, int]:
        """Return how often so many orders, two or more, were worked on together."""
        return dict(self._desk.sizes)

    @serve.batch(batch_wait_timeout_s=_BATCH_SECONDS)
    async def _restore_orders(self, orders: list[Order]) -> list[Outcome]:
        self._free.clear()
        try:
            return await self._desk.answer_all(orders, self._restored, together=self._together)
        finally:
            self._free.set()

    def _restored(self, orders: Sequence[Order], _: Check) -> list[list[Image]]:
        return _parted(self._restorer.restore(_joined(orders, 0)), orders)

    def _parsed(self, crops: Sequence[Image]) -> list[Mask]:
        assert self._parser is not None  # noqa: S101  # nobody asks a replica for what it did not describe
        return self._parser.parse(crops)

    async def check_health(self) -> None:
        """Return while all is well."""
        await self._desk.check_health()

    def _prove(self) -> None:
        restored = self._restorer.restore([workshop.example(self._restorer.template).image])
        if self._parser:
            self._parser.parse(restored)


class UpsamplerReplica:
    """An upsampler."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        configure_logging(Settings(**settings))
        shop = workshop.workshop(settings, "upsampler")
        upsampler = shop.builder.upsampler()
        assert upsampler is not None  # noqa: S101  # a recipe without one gets no such replica
        self._upsampler = upsampler
        self._running = shop.running
        self._prove()
        self._desk = Desk(self._prove)

    async def describe(self) -> UpsamplerFacts:
        """Return what callers must know."""
        return UpsamplerFacts(tuple(self._upsampler.scales), self._upsampler.trained, self._running)

    async def upsample(self, ticket: Ticket, image: Image, scale: int) -> Outcome:
        """Enlarge a picture."""
        return await self._desk.answer(Order(ticket), lambda check: self._upsampler.upsample(image, scale, check))

    async def check_health(self) -> None:
        """Return while all is well."""
        await self._desk.check_health()

    def _prove(self) -> None:
        workshop.prove_upsampler(self._upsampler)


def _joined(orders: Sequence[Order], number: int) -> list[Any]:
    return [each for order in orders for each in order.arguments[number]]


def _parted(answers: Sequence[Any], orders: Sequence[Order]) -> list[list[Any]]:
    """Give each order as many of the answers as it has crops."""
    rest = iter(answers)
    return [[next(rest) for _ in order.arguments[0]] for order in orders]


REPLICAS: Mapping[workshop.StageName, type] = {
    "detector": DetectorReplica,
    "swapper": SwapperReplica,
    "restorer": RestorerReplica,
    "upsampler": UpsamplerReplica,
}
