#!/bin/sh
# usage: venv.sh FOLDER
#
# Makes FOLDER a virtual environment with this project, editable, and its pinned development packages.
# Needs Python 3.11 or newer and nothing else; PYTHON names the interpreter, else the newest one found is taken.
# Does nothing when the interpreter, the pins and the package's own description are those of the last time, but for
# bundling the page of `synapse-otel view` where its sources have changed.
set -eu

cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin # where the tools of root are, on some machines not on PATH
venv=$1
pins=constraints/dev.txt
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
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        if is_suitable "$candidate"; then
            base_of "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer on PATH: install one, or name it with PYTHON=/path/to/python3"
}

# Whatever makes another environment: compared with what the last finished run left in $venv/made-from.
made_from() {
    "$1" -c 'import sys; print(sys.executable, sys.version)'
    pwd
    cat "$uv_pin" "$pins" pyproject.toml src/synapse_otel/_version.py tools/setup/venv.sh | cksum
}

# Debian and its relatives ship Python without what `python -m venv` needs.
add_venv_module() {
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    command -v apt-get >/dev/null || fail "this Python lacks the modules venv and ensurepip: install them"
    [ "$(id -u)" -eq 0 ] || fail "this Python lacks the module venv: sudo apt-get install $package"
    say "installing the system's package $package, which this Python's venv module needs"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"; } \
        </dev/null >/dev/null || fail "could not install $package"
}

python=$(find_python)
wanted=$(made_from "$python")
if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/made-from" 2>/dev/null)" = "$wanted" ]; then
    exec "$venv/bin/python" hatch_build.py bundle
fi

say "installing the packages pinned in $pins for $("$python" -V), once for these pins"
"$python" -c 'import ensurepip, venv' 2>/dev/null || add_venv_module "$python"
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$uv_pin"
pip_install() { "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "$@"; }
pip_install --require-hashes -r "$pins"
pip_install --no-deps --no-build-isolation --editable .
printf '%s\n' "$wanted" >"$venv/made-from"
