"""How the compiled module is made, installed, chosen, and left out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

TREE = Path(__file__).parents[2]
BUILD = [find_uv_bin(), "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--quiet"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a wheel is built from, without a compiled module."""
    copy = tmp_path / "tree"
    left_out = shutil.ignore_patterns("__pycache__", "_native.*", ".made-from", "node_modules")
    for name in ("src", "native", "web"):
        shutil.copytree(TREE / name, copy / name, ignore=left_out)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(TREE / name, copy / name)
    return copy


def built(tree: Path, into: Path, **environment: str) -> Path:
    """Return the wheel."""
    ended = subprocess.run(
        [*BUILD, "--out-dir", into, tree], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    (wheel,) = into.glob("*.whl")
    return wheel


def asked(python: Path | str, *, cwd: Path, **environment: str) -> str:
    program = (
        "from synapse_otel import _compiled; from synapse_otel.journal.memory.space import Space;"
        "print(Space.__module__, Space.__name__, _compiled.WHY_NOT)"
    )
    ended = subprocess.run(
        [python, "-c", program],
        cwd=cwd,
        env=os.environ | {"SYNAPSE_OTEL_NATIVE": ""} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_no_format_has_a_size_in_it():
    """Compiled with headers of Python 3.13 or newer, such a call fails where Python 3.11 or 3.12 loads the module."""
    for path in (TREE / "native").glob("*.c"):
        for call in re.findall(r"(?:BuildValue|Arg_Parse\w*|CallFunction|CallMethod)\([^;]*;", path.read_text()):
            assert "#" not in call, f"{path.name}: {call}"


@pytest.mark.once
def test_the_same_wheel_twice_for_all_pythons_of_a_platform(tree, tmp_path):
    first = built(tree, tmp_path / "first")
    (tree / "native" / ".made-from").unlink()
    second = built(tree, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()
    platform = sysconfig.get_platform().replace("-", "_")
    assert first.name.endswith(f"-cp311-abi3-{platform}.whl")
    with zipfile.ZipFile(first) as archive:
        assert [name for name in archive.namelist() if "_native" in name] == ["synapse_otel/_native.abi3.so"]
        (tags,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/WHEEL"))
    assert f"Tag: cp311-abi3-{platform}\n" in tags
    assert "Root-Is-Purelib: false" in tags


@pytest.mark.once
@pytest.mark.parametrize("compiler", ["nonesuch", "false"])
def test_without_a_compiler_the_wheel_is_pure(tree, tmp_path, compiler):
    wheel = built(tree, tmp_path, CC=compiler)
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if "_native" in name] == []
        archive.extractall(tmp_path / "installed")
    found = asked(sys.executable, cwd=tmp_path, PYTHONPATH=str(tmp_path / "installed"))
    assert found.startswith("synapse_otel.journal.memory.python_space PythonSpace No module named")


@pytest.mark.once  # the other Pythons' systems may have no compiler
def test_it_is_compiled_once_and_the_reason_is_given_once(tree):
    module = tree / "src" / "synapse_otel" / "_native.abi3.so"

    def compiled(**environment: str) -> str:
        ended = subprocess.run(
            [sys.executable, "hatch_build.py", "compile"],
            cwd=tree,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stderr

    assert "no compiled module, its work is done in Python: [Errno 2]" in compiled(CC="nonesuch")
    assert not module.exists()
    assert compiled(CC="nonesuch") == ""
    assert compiled() == ""
    made = module.stat().st_mtime_ns
    for without in ({}, {"CC": "nonesuch"}):
        assert compiled(**without) == ""
        assert module.stat().st_mtime_ns == made, "another environment's module is left to all"
    source = tree / "native" / "write.c"
    source.write_text(source.read_text() + "#error wrong\n")
    assert "#error wrong" in compiled()
    assert not module.exists()


def test_a_free_threaded_python_gets_none(tree):
    program = (
        "import sys, sysconfig; sys.path.insert(0, '.'); import hatch_build; from pathlib import Path\n"
        "known = sysconfig.get_config_var\n"
        "sysconfig.get_config_var = lambda name: 1 if name == 'Py_GIL_DISABLED' else known(name)\n"
        "print(hatch_build.Native(Path('.')).compile())"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
    assert "a free-threaded Python" in ended.stderr


def test_what_was_compiled_is_loaded_by_each_python():
    found = asked(sys.executable, cwd=TREE, SYNAPSE_OTEL_NATIVE="on")
    is_there = (TREE / "src" / "synapse_otel" / "_native.abi3.so").exists()
    assert found.startswith("synapse_otel._native Space") == is_there


def test_the_environment_chooses():
    pytest.importorskip("synapse_otel._native", reason="no compiled module here")
    assert asked(sys.executable, cwd=TREE, SYNAPSE_OTEL_NATIVE="") == "synapse_otel._native Space"
    assert asked(sys.executable, cwd=TREE, SYNAPSE_OTEL_NATIVE=" On ") == "synapse_otel._native Space"
    compared = asked(sys.executable, cwd=TREE, SYNAPSE_OTEL_NATIVE="compare")
    assert compared == "synapse_otel.journal.memory.compared ComparedSpace"
    off = asked(sys.executable, cwd=TREE, SYNAPSE_OTEL_NATIVE="off")
    assert off == "synapse_otel.journal.memory.python_space PythonSpace SYNAPSE_OTEL_NATIVE is off"


@pytest.mark.parametrize(("native", "said"), [("on", "ok used"), ("off", "note not used")])
def test_the_doctor_says_which(native, said):
    if native == "on":
        pytest.importorskip("synapse_otel._native", reason="no compiled module here")
    program = (
        "from synapse_otel.doctor.checks.environment import environment\n"
        "(found,) = [one for one in environment() if one.about == 'compiled module']\n"
        "print(found.level.value, found.text)"
    )
    environment = os.environ | {"SYNAPSE_OTEL_NATIVE": native}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.lower().startswith(said)
    assert ("SYNAPSE_OTEL_NATIVE is off" in ended.stdout) == (native == "off")


@pytest.mark.parametrize("different", ["encode_brief", "encode_samples", "Space"])
def test_a_difference_ends_the_process(tmp_path, different):
    native = pytest.importorskip("synapse_otel._native", reason="no compiled module here")
    program = f"""
import synapse_otel
from synapse_otel import _compiled
from synapse_otel.testing import recorded_job
real = _compiled.native
class Odd:
    encode_brief, encode_samples, Space = real.encode_brief, real.encode_samples, real.Space
    ProgressSlot, CounterSlot = real.ProgressSlot, real.CounterSlot
class Wrong(real.Space):
    def append(self, kind, signal, payload, count):
        return super().append(kind, signal, payload, count ^ 1)
wrong = {{
    "encode_brief": lambda *given: (real.encode_brief(*given) or b"") + b"x",
    "encode_samples": lambda *given: (real.encode_samples(*given) or b"") + b"x",
    "Space": Wrong,
}}
from synapse_otel.journal.memory import compared
compared.native = Odd
setattr(Odd, {different!r}, staticmethod(wrong[{different!r}]) if {different!r} != "Space" else Wrong)
with recorded_job() as job:
    for _ in range(2):
        job.ctx.log("saved", {{"n": 1}})
        job.ctx.set_metrics({{"loss": 0.5}}, "train")
print("went on")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"SYNAPSE_OTEL_NATIVE": "compare", "PYTHONPATH": str(Path(native.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -6
    assert "went on" not in ended.stdout
    assert re.search(r"^compiled: b['\"].*\nPython:   b['\"]", ended.stderr, re.MULTILINE)


@pytest.mark.once
def test_with_a_sanitizer_of_addresses_and_of_undefined_behaviour(tmp_path):
    flags = ["-O1", "-g", "-fPIC", "-shared", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    module = tmp_path / "_native.abi3.so"
    headers = sysconfig.get_path("include")
    subprocess.run(["gcc", *flags, "-I", headers, *(TREE / "native").glob("*.c"), "-o", module], check=True)
    runtime = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    tests = [
        "tests/native/test_same_bytes.py",
        "tests/journal/test_state_and_locks.py",
        "tests/mapping/test_mapping.py",
    ]
    plugin = ["-p", "tests.native.sanitized", "-p", "no:cacheprovider", "-n", "0", "-q", "-s"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *tests],
        cwd=TREE,
        env=os.environ
        | {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "NATIVE_MODULE": str(module)}
        | {"SYNAPSE_OTEL_NATIVE": "on", "PYTHONPATH": str(TREE), "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout
