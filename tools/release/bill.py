"""The software bill of materials of a release, in CycloneDX JSON.

It lists what the wheel requires, at the versions of `constraints/runtime.txt`; what npm packages the page is bundled
of; and the sources of others in `native/`. It has neither a time nor a random number, so that each tree has one bill;
the time is that of ``SOURCE_DATE_EPOCH``, where it is set.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from synapse_otel._version import __version__
from tools.release.pins import ROOT, TREE, Pin, needed_by, read_pins, requirements

BUILD_TOOLS: Final = frozenset({"esbuild"})
"""Packages among npm's ``dependencies`` that bundle the page and are not in it."""
_LONGEST_NAME: Final = 60
_LICENSES: Final = LicenseFactory()


def bill() -> str:
    """Return the bill."""
    bom = Bom()
    bom.serial_number = None  # type: ignore[assignment]  # else random; the schema lets it be left out
    bom.metadata.timestamp = _time()  # type: ignore[assignment]  # the same: else the present
    root = _component(ROOT, __version__, "pypi", "Apache-2.0")
    bom.metadata.component = root
    pins = read_pins()
    required = {pin.name for pin in needed_by(requirements())}
    by_name = {pin.name: _of_pin(pin, is_required=pin.name in required) for pin in pins}
    others = [*_bundled(), _xxhash()]
    for component in (*by_name.values(), *others):
        bom.components.add(component)
    for pin in pins:
        for name in pin.needed_by:
            bom.register_dependency(root if name == ROOT else by_name[name], [by_name[pin.name]])
    bom.register_dependency(root, others)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _time() -> datetime | None:
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None


def _component(name: str, version: str, kind: str, license_: str, **given: Any) -> Component:
    url = PackageURL(kind, None, name, version)
    declared = _LICENSES.make_from_string(license_, license_acknowledgement=LicenseAcknowledgement.DECLARED)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=url.to_string(),
        purl=url,
        licenses=[declared],
        **given,
    )


def _of_pin(pin: Pin, *, is_required: bool) -> Component:
    """Return a pin with the sums of all files that an installer accepts for it; what an extra brings is optional."""
    scope = ComponentScope.REQUIRED if is_required else ComponentScope.OPTIONAL
    sums = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pin.hashes]
    url = PackageURL("pypi", None, pin.name, pin.version).to_string()
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(url),
        comment="SHA-256 of each file that is accepted: the source archive and a wheel for each platform",
        hashes=sums,
    )
    return _component(pin.name, pin.version, "pypi", license_of(pin), scope=scope, external_references=[files])


def license_of(pin: Pin) -> str:
    """Return the licence that an installed package declares.

    Raises:
        ValueError: Another version is installed here, or it declares none.

    """
    found = distribution(pin.name)
    if found.version != pin.version:
        raise ValueError(f"{pin.name} {found.version} is installed, {pin.version} is pinned: run `make setup`")
    declared = [text for field in ("License-Expression", "License") for text in found.metadata.get_all(field) or ()]
    classifiers = [text for text in found.metadata.get_all("Classifier") or () if text.startswith("License ::")]
    texts: list[str] = [*declared, *(text.rpartition(" :: ")[2] for text in classifiers)]
    short = [text for text in texts if text and "\n" not in text and len(text) <= _LONGEST_NAME]
    if not short:
        raise ValueError(f"{pin.name} {pin.version} declares no licence")
    return short[0]


def _bundled() -> Iterator[Component]:
    """Yield the npm packages that the page is made of, and what bundles it."""
    for place, found in lock_file()["packages"].items():
        name = place.removeprefix("node_modules/")
        if place and not (found.get("dev") or found.get("optional")):
            algorithm, _, content = found["integrity"].partition("-")
            if algorithm != "sha512":
                raise ValueError(f"{name}: {algorithm} is not the sum that is expected")
            sums = [HashType(alg=HashAlgorithm.SHA_512, content=b64decode(content).hex())]
            scope = ComponentScope.EXCLUDED if name in BUILD_TOOLS else ComponentScope.REQUIRED
            yield _component(name, found["version"], "npm", found["license"], scope=scope, hashes=sums)


def lock_file() -> dict[str, Any]:
    """Return what npm installs to bundle the page."""
    found: dict[str, Any] = json.loads((TREE / "web" / "package-lock.json").read_text(encoding="utf-8"))
    return found


def _xxhash() -> Component:
    """Return xxHash, whose header is compiled into the module, with its files."""
    files = sorted((TREE / "native").glob("xxhash*"))
    header = (TREE / "native" / "xxhash.h").read_text(encoding="utf-8")
    version = ".".join(re.findall(r"#define XXH_VERSION_(?:MAJOR|MINOR|RELEASE) +(\d+)", header))
    return _component("xxHash", version, "generic", "BSD-2-Clause", components=list(map(_file, files)))


def _file(path: Path) -> Component:
    name = path.relative_to(TREE).as_posix()
    sums = [HashType(alg=HashAlgorithm.SHA_256, content=sha256(path.read_bytes()).hexdigest())]
    return Component(name=name, type=ComponentType.FILE, bom_ref=name, hashes=sums)
