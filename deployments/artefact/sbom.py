"""The software bill of materials of an artefact: CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), one component a wheel."""

import hashlib
import json
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deployments.artefact.targets import Target

SPDX_NAMES = {
    "MIT": "MIT",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "MIT Licence": "MIT",
    "The MIT License (MIT)": "MIT",
    "Apache-2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD-2-Clause": "BSD-2-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "ISC": "ISC",
    "ISC License": "ISC",
    "MPL-2.0": "MPL-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSF-2.0": "PSF-2.0",
}
"""How packages name what SPDX has an identifier for (https://spdx.org/licenses/); any other name is passed on as it is."""
LONGEST_NAME = 80
"""Some put the whole text of their licence where its name belongs."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel's file and its core metadata (https://packaging.python.org/specifications/core-metadata/)."""

    file_name: str
    sha256: str
    metadata: Message

    @classmethod
    def read(cls, path: Path) -> "Wheel":
        """Reads a wheel.

        Raises:
            ValueError: the file is no wheel.
        """
        with zipfile.ZipFile(path) as archive:
            (name,) = (
                each
                for each in archive.namelist()
                if each.count("/") == 1 and each.endswith(".dist-info/METADATA")
            )
            metadata = HeaderParser().parsestr(archive.read(name).decode())
        return cls(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), metadata)

    @property
    def name(self) -> str:
        return canonicalize_name(self.metadata["Name"])

    @property
    def version(self) -> str:
        return str(self.metadata["Version"])

    @property
    def purl(self) -> str:
        """Its package URL (https://github.com/package-url/purl-spec), down to the file."""
        return f"pkg:pypi/{self.name}@{quote(self.version)}?file_name={quote(self.file_name)}"

    def licences(self) -> list[dict[str, Any]]:
        """As CycloneDX has them: an SPDX expression, or what the package calls it."""
        if expression := self.metadata["License-Expression"]:
            return [{"expression": str(expression)}]
        own = str(self.metadata["License"] or "").strip()
        classified = [
            each.rpartition(" :: ")[2]
            for each in self.metadata.get_all("Classifier", [])
            if each.startswith("License :: ") and each != "License :: OSI Approved"
        ]
        names = [own] if own and len(own) <= LONGEST_NAME and "\n" not in own else classified
        return [{"license": _named(name)} for name in names]

    def needs(self, targets: Sequence[Target]) -> set[str]:
        """The names of what it needs on at least one of the targets, extras left out."""
        given = (Requirement(each) for each in self.metadata.get_all("Requires-Dist", []))
        return {canonicalize_name(each.name) for each in given if _holds(each, targets)}


def bill(
    artefact: Path, wheels: Sequence[Wheel], targets: Sequence[Target], *, own: Wheel
) -> dict[str, Any]:
    """The whole bill. Nothing in it depends on when or where it was made.

    Args:
        artefact: the PEX, whose digest the bill carries.
        wheels: all that is in it but our own.
        targets: what it starts on.
        own: our own wheel.
    """
    digest = hashlib.sha256(artefact.read_bytes()).hexdigest()
    every = [own, *wheels]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": artefact.name,
                "name": own.name,
                "version": own.version,
                "description": f"for CPython {', '.join(t.minor for t in targets)} on Linux {targets[0].machine}",
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": [*(_component(wheel) for wheel in every), _pex_itself()],
        "dependencies": list(_dependencies(artefact, every, targets)),
    }


def as_json(found: Mapping[str, Any]) -> str:
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


def _component(wheel: Wheel) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": wheel.purl,
        "name": wheel.name,
        "version": wheel.version,
        "purl": wheel.purl,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
    }
    if licences := wheel.licences():
        component["licenses"] = licences
    return component


def _pex_itself() -> dict[str, Any]:
    """The few files with which the artefact starts and makes its virtual environment are PEX's own."""
    purl = f"pkg:pypi/pex@{version('pex')}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": "pex",
        "version": version("pex"),
        "purl": purl,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def _dependencies(
    artefact: Path, wheels: Sequence[Wheel], targets: Sequence[Target]
) -> Iterator[dict[str, Any]]:
    named: dict[str, list[str]] = {}
    for wheel in wheels:
        named.setdefault(wheel.name, []).append(wheel.purl)
    yield {
        "ref": artefact.name,
        "dependsOn": [wheels[0].purl, f"pkg:pypi/pex@{version('pex')}"],
    }
    for wheel in wheels:
        needed = sorted(purl for name in wheel.needs(targets) for purl in named.get(name, []))
        yield {"ref": wheel.purl, "dependsOn": needed}


def _named(name: str) -> dict[str, str]:
    return {"id": SPDX_NAMES[name]} if name in SPDX_NAMES else {"name": name}


def _without_extras(target: Target) -> Mapping[str, str]:
    return {name: str(value) for name, value in target.markers.items()} | {"extra": ""}


def _holds(requirement: Requirement, targets: Sequence[Target]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate(_without_extras(each)) for each in targets)
