"""Which files the models of a recipe need, and all that keeps them from running, told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.errors import LicenceNotAccepted, StartupError, WeightsMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.weights.manifest import WeightFile
    from predictor.weights.store import Store


def to_pull(store: Store, models: Sequence[str]) -> list[str]:
    """Return the names of the files to pull for some models, each once: what is there already, else what is offered.

    A model that runs on a converted file alone is given the files to convert. Models without weights need none.
    """
    names: list[str] = []
    for model in models:
        files = store.manifest.alternatives(model)
        there = [file for file in files if store.locate(file.name)]
        offered = [file for file in files if file.is_downloadable]
        if there or offered:
            names.append((there or offered)[0].name)
        else:
            names.extend(source for file in files[:1] for source in file.made_from)
    return list(dict.fromkeys(names))


def require(store: Store, models: Sequence[str]) -> None:
    """See that there is a file for each of these models and that it may be used; its bytes are checked by `find`.

    Raises:
        LicenceNotAccepted: Some may not be used.
        WeightsMissing: Some are nowhere.
    """
    needed = {model: files for model in models if (files := store.manifest.alternatives(model))}
    forbidden = [files for files in needed.values() if not any(store.may_use(file) for file in files)]
    if forbidden:
        raise _forbidden(store, forbidden)
    missing = [model for model, files in needed.items() if not any(store.locate(file.name) for file in files)]
    if len(missing) == 1:
        store.find(*(file.name for file in needed[missing[0]]))
    if missing:
        names = " ".join(to_pull(store, missing))
        raise WeightsMissing(
            f"there are no weights for {', '.join(missing)} in {store.searched()}; "
            f"get them with `python -m predictor weights pull {names}`"
        )


def _forbidden(store: Store, forbidden: Sequence[Sequence[WeightFile]]) -> StartupError:
    """Return one error for all files that may not be used."""
    first = [files[0] for files in forbidden]
    left_out = [file for file in first if store.licences.leaves_out(file)]
    if left_out:
        names = ", ".join(f"{file.name} ({', '.join(file.used_by)}, {file.weights_licence})" for file in left_out)
        return LicenceNotAccepted(
            f"PREDICTOR_PROFILE=permissive leaves out {names}: commercial use is not, or may not be, allowed; "
            "choose other models for these steps, or set PREDICTOR_PROFILE=all"
        )
    licences = {store.manifest.licence(file).id: store.manifest.licence(file) for file in first}
    files_of = {one: ", ".join(file.name for file in first if file.weights_licence == one) for one in licences}
    told = "; ".join(f"{one} for {files_of[one]} ({licences[one].title}; {licences[one].url})" for one in licences)
    accepted = ",".join(sorted({*store.licences.accepted, *licences}))
    return LicenceNotAccepted(
        f"licences not accepted yet: {told}; if you accept, set PREDICTOR_ACCEPTED_LICENCES={accepted}"
    )
