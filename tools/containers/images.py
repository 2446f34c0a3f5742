"""The images of the compose files, made where none can be pulled; and what a build has to know of this network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from tools.containers.engine import Engine
from tools.containers.systems import TREE
from tools.stack import versions
from tools.stack.build import build

STACK: Final = {
    "collector": f"otel/opentelemetry-collector-contrib:{versions.COLLECTOR}",
    "jaeger": f"jaegertracing/jaeger:{versions.JAEGER}",
    "prometheus": f"prom/prometheus:v{versions.PROMETHEUS}",
    "victorialogs": f"victoriametrics/victoria-logs:v{versions.VICTORIALOGS}",
}
"""By the part that the binaries are of: the image in docker-compose.yml."""
PYTHON: Final = "python:3.13-slim"
"""What the Dockerfiles begin with."""
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_STACK_FILE: Final = Path(__file__).with_name("stack.Dockerfile")


def make_images(engine: Engine, folder: Path) -> None:
    """Make every image that the compose files name but Grafana's; `folder` is for files that the build needs."""
    make_stack_images(engine)
    make_python_image(engine)
    engine.docker("build", "--quiet", *build_options(folder), "--tag", "synapse-otel", ".")
    engine.docker("build", "--quiet", "--network", "none", "--tag", "synapse-otel-job", "examples/container")


def make_stack_images(engine: Engine) -> None:
    """Make the image of each server out of the binaries that `python -m tools.stack build` leaves, where it changed."""
    for part, binaries in build(STACK).items():
        made_from = f"synapse-otel.made-from={binaries.parent.name}-{_digest(_STACK_FILE)}"
        if engine.docker("images", "--quiet", "--filter", f"label={made_from}", STACK[part]):
            continue
        engine.docker(
            *("build", "--quiet", "--network", "none", "--target", part, "--tag", STACK[part], "--label", made_from),
            *("--build-context", f"binaries={binaries}"),
            *("--build-context", f"busybox={engine.systems.engine / 'usr' / 'bin'}"),
            *("--file", str(_STACK_FILE), str(_STACK_FILE.parent)),
        )


def make_python_image(engine: Engine) -> None:
    """Make `python:3.13-slim` out of the same Debian that the real one is made on, unless this engine has it."""
    if engine.docker("images", "--quiet", PYTHON):
        return
    links = "".join(f"ln -sf /usr/bin/python3.13 /usr/local/bin/{name}\n" for name in ("python3", "python"))
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    packed = f"tar --one-file-system --exclude=./var/cache -C {engine.systems.python} -c ."
    engine.shell(f"{packed} | docker import - {PYTHON}-bare")
    recipe = f"FROM {PYTHON}-bare\nENV {path}\nRUN {links.strip().replace(chr(10), ' && ')}\n"
    engine.shell(f"docker build --quiet --network none --tag {PYTHON} - <<'END'\n{recipe}END\n")


def build_options(folder: Path) -> list[str]:
    """Return the options of `docker build` for this machine's network: as the network of tools/setup/network.sh.

    `folder` gets the files that the build sees as secrets: pip's configuration and certificates.
    """
    told = _told_of_the_network()
    options = ["--network", "host"]
    options += [argument for name in _PROXIES if name in told for argument in ("--build-arg", name)]
    settings = ["[global]"]
    if certificates := told.get("PIP_CERT"):
        options += ["--secret", f"id=certificates,src={_copied(Path(certificates), folder)}"]
        settings.append("cert = /run/secrets/certificates")
    if index := told.get("PIP_INDEX_URL"):
        settings.append(f"index-url = {index}")
    (folder / "pip.conf").write_text("\n".join(settings) + "\n", encoding="utf-8")
    return [*options, "--secret", f"id=pip.conf,src={folder / 'pip.conf'}"]


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()[:12]


def _copied(file: Path, folder: Path) -> Path:
    """Copy a file of the machine's to where the engine's client sees it."""
    copy = folder / "certificates.pem"
    copy.write_bytes(file.read_bytes())
    return copy


def _told_of_the_network() -> dict[str, str]:
    script = str(TREE / "tools" / "setup" / "network.sh")
    command: Iterable[str] = ("sh", script, str(Path(sys.executable).parent), "env")
    printed = subprocess.run([*command], capture_output=True, text=True, check=True, env=dict(os.environ)).stdout
    return {name: value for name, _, value in (line.partition("=") for line in printed.splitlines())}
