"""This machine, examined: what it is, whether a box comes up, and what helps where none does."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from comptroller.core.errors import ComptrollerError, MissingError
from comptroller.enforce.sandbox import machine_unsafe, missing, place, remedies
from comptroller.enforce.sandbox.linux_unsafe import StartError
from comptroller.enforce.sandbox.place import Place
from comptroller.enforce.sandbox.probe import preflight
from comptroller.enforce.sandbox.remedies import Remedy, Repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`error` is why no box comes up (None where one does), `remedy` what is known to help."""

    place: Place
    error: ComptrollerError | None = None
    remedy: Remedy | None = None


def examine() -> Diagnosis:
    """Look around and try a box."""
    try:
        bwrap = machine_unsafe.bwrap_version(missing.find_bwrap())
        preflight()
    except MissingError as error:
        return Diagnosis(place=place.look(), error=error, remedy=_remedy(error))
    except ComptrollerError as error:
        return Diagnosis(place=place.look(), error=error)
    return Diagnosis(place=place.look(bwrap=bwrap))


def repair(wanted: Repair) -> list[str]:
    """Change this machine as `wanted` says; what was done, line by line. Raises `UsageError` where this is not root."""
    return machine_unsafe.apply(wanted)


def _remedy(error: MissingError) -> Remedy | None:
    elsewhere = remedies.elsewhere(sys.platform)
    if elsewhere is not None:
        return elsewhere
    if isinstance(error.__cause__, StartError):
        return missing.remedy(error.__cause__)
    return remedies.BUBBLEWRAP if error.hint == remedies.BUBBLEWRAP.hint else None
