"""Fetch Kafka's jars with Maven, check each against its known SHA-256, and put Kafka's commands beside them."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tools.stack.errors import BuildError, ToolMissingError

_HERE: Final = Path(__file__).parent
_POM: Final = _HERE / "pom.xml"
_CHECKSUMS: Final = _HERE / "jars.sha256"
_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
JAVA_MINIMUM: Final = 17

COMMANDS: Final = {
    "kafka-server-start.sh": "kafka.Kafka",
    "kafka-storage.sh": "kafka.tools.StorageTool",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}
"""Kafka's own commands, and the class behind each; Maven has the classes only."""

_SCRIPT: Final = """\
#!/bin/sh
folder=$(cd "$(dirname "$0")/.." && pwd)
exec java ${{KAFKA_HEAP_OPTS:--Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC}} ${{KAFKA_OPTS:-}} \\
    -cp "$folder/libs/*" {name} "$@"
"""
"""KAFKA_HEAP_OPTS and KAFKA_OPTS are what Kafka's own scripts read."""


def inputs() -> str:
    """Return the text of whatever decides what is fetched and laid out."""
    return "".join([*(path.read_text(encoding="utf-8") for path in (_POM, _CHECKSUMS)), _PLUGIN, _SCRIPT, *COMMANDS])


def find_maven() -> Path:
    """Return the program `mvn`; ToolMissingError where it, or a Java that Kafka runs on, is missing."""
    maven, java = shutil.which("mvn"), shutil.which("java")
    version = _java_version(java) if java else 0
    if maven is None or version < JAVA_MINIMUM:
        raise ToolMissingError(
            f"Kafka needs Java {JAVA_MINIMUM} or newer and Maven on PATH (Debian: default-jre-headless, maven)"
        )
    return Path(maven)


def _java_version(java: str) -> int:
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else 0


def lay_out(version: str, maven: Path, scratch: Path, target: Path, run: Callable[[Sequence[str], str], None]) -> None:
    """Fetch the jars into `libs` beside `target`, and write the commands into `target`.

    `run` runs a command, given what it does, and raises BuildError where it fails.
    """
    libs = target.parent / "libs"
    command = [str(maven), "--batch-mode", "--no-transfer-progress", f"--file={_POM}", f"-Dkafka.version={version}"]
    command += [f"-DoutputDirectory={libs}", f"-Dmaven.repo.local={scratch / 'repository'}"]
    run([*command, f"{_PLUGIN}:copy-dependencies"], "kafka: Maven")
    check_jars(libs, _CHECKSUMS.read_text(encoding="utf-8"))
    for name, main_class in COMMANDS.items():
        script = target / name
        script.write_text(_SCRIPT.format(name=main_class), encoding="utf-8")
        script.chmod(0o755)


def check_jars(libs: Path, listed: str) -> None:
    """Raise BuildError unless the folder has exactly the files of a list as `sha256sum` prints it."""
    known = {name: digest for digest, name in (line.split() for line in listed.splitlines())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in libs.iterdir()}
    if wrong := sorted(dict(known.items() ^ found.items())):
        raise BuildError(f"kafka: not the jars that {_CHECKSUMS.name} lists: {', '.join(wrong)}")
