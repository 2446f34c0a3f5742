#!/bin/sh
# usage: venv.sh FOLDER [demo]
#
# Makes FOLDER a virtual environment with this project, editable, and its pinned development packages, or those alone that
# `make demo` needs. Needs Python 3.11 or newer and nothing else; PYTHON names the interpreter, else one is taken for which
# every library of the tests has a wheel, else the newest. Does nothing when the interpreter, the pins and the package's
# own description are those of the last time, but for bundling the page of `synapse-otel view` where its sources changed.
set -eu

cd "$(dirname "$0")/../.."
. tools/setup/debian.sh
venv=$1
kind=${2:-dev}
uv_pin=constraints/uv.txt

say() { printf '%s: %s\n' "$venv" "$*" >&2; }
fail() { say "$*"; exit 1; }

# The interpreter itself, not a virtual environment's or a version manager's way to it.
base_of() { "$1" -c 'import sys; print(sys._base_executable)'; }

is_suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_suitable "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer"
        base_of "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3.14 python3.15 python3; do
        if is_suitable "$candidate"; then
            base_of "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer on PATH: install one, or name it with PYTHON=/path/to/python3"
}

# Whatever makes another environment: compared with what the last finished run left in $venv/made-from-$kind.
made_from() {
    "$python" -c 'import sys; print(sys.executable, sys.version)'
    pwd
    cat "$uv_pin" "constraints/$1.txt" pyproject.toml src/synapse_otel/_version.py tools/setup/venv.sh | cksum
}

is_made() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/made-from-$1" 2>/dev/null)" = "$(made_from "$1")" ]; }

bundle() {
    "$venv/bin/python" hatch_build.py compile
    if "$venv/bin/python" hatch_build.py is-bundled; then return; fi
    download "$venv/bin/python" hatch_build.py bundle
}

download() { sh tools/setup/network.sh "$venv/bin" "$@"; }

pip_install() { download "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "$@"; }

# Debian and its relatives ship Python without what `python -m venv` needs.
add_venv_module() {
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    command -v apt-get >/dev/null || fail "this Python lacks the modules venv and ensurepip: install them"
    [ "$(id -u)" -eq 0 ] || fail "this Python lacks the module venv: sudo apt-get install $package"
    say "installing the system's package $package, which this Python's venv module needs"
    install_packages "$package" || fail "could not install $package"
}

python=$(find_python)
if is_made dev || { [ "$kind" = demo ] && is_made demo; }; then
    bundle
    exit
fi

say "installing the packages pinned in constraints/$kind.txt for $("$python" -V), once for these pins"
if ! is_made demo; then # else the others are added to those
    "$python" -c 'import ensurepip, venv' 2>/dev/null || add_venv_module
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$uv_pin"
fi
pip_install --require-hashes -r "constraints/$kind.txt"
pip_install --no-deps --no-build-isolation --editable .
made_from "$kind" >"$venv/made-from-$kind"
