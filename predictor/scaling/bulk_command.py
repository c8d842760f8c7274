"""`python -m predictor bulk`: from the options of the command line to a run."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from predictor import picture_arguments
from predictor.errors import PackagesMissing
from predictor.options import EnhanceOptions, OutputOptions, SwapOptions
from predictor.settings import read_settings

if TYPE_CHECKING:
    import argparse

    from predictor.scaling.bulk_report import Summary
    from predictor.scaling.bulk_tasks import Task
    from predictor.settings import Settings


def bulk(options: argparse.Namespace) -> Summary:
    """Do what the command line says.

    Raises:
        StartupError: What keeps it from working, an extra that is not installed among it.
        PredictorError: It had to end before its time.
    """
    missing = [name for name in ("fsspec", "pyarrow", "ray") if find_spec(name) is None]
    if missing:
        raise PackagesMissing(f"bulk needs the extra ray; not installed: {', '.join(missing)}")
    from predictor.scaling.bulk import run  # noqa: PLC0415  # the packages are an extra, and take seconds
    from predictor.scaling.bulk_pool import Pool  # noqa: PLC0415

    settings = read_settings(destinations_dir=None)
    pool = Pool(options.workers, options.cpus_per_worker, options.gpus_per_worker)
    return run(_task(options, settings), (options.input, options.output), settings, pool)


def _task(options: argparse.Namespace, settings: Settings) -> Task:
    from predictor.scaling.bulk import read_source  # noqa: PLC0415  # as above
    from predictor.scaling.bulk_tasks import DetectTask, EnhanceTask, SwapTask  # noqa: PLC0415

    if options.word == "detect":
        return DetectTask()
    restore, output = picture_arguments.restore(options), OutputOptions(options.format, options.quality)
    if options.word == "enhance":
        return EnhanceTask(EnhanceOptions(restore, options.upscale), output)
    swap_options = SwapOptions(picture_arguments.pairs(options), restore, options.upscale)
    return SwapTask(options.source, read_source(options.source, settings), swap_options, output)
