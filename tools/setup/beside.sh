#!/bin/sh
# usage: beside.sh BIN COMMIT
#
# Lays out .venv-beside/COMMIT, an environment with this package as it was at a commit or tag and with the libraries that
# were pinned then, on the Python of BIN, and prints the path of its interpreter. BIN/uv installs. What is there stays.
set -eu

cd "$(dirname "$0")/../.."
bin=$1
commit=$(git rev-parse --verify --short "$2^{commit}")
venv=.venv-beside/$commit

if [ ! -x "$venv/bin/synapse-otel" ]; then
    printf '%s: installing the package of that commit\n' "$venv" >&2
    base=$("$bin/python" -c 'import sys; print(sys._base_executable)')
    "$bin/uv" venv --quiet --no-project --clear --python "$base" "$venv"
    mkdir "$venv/source"
    git archive "$commit" | tar -x -C "$venv/source"
    install() { sh tools/setup/network.sh "$bin" "$bin/uv" pip install --quiet --python "$venv/bin/python" "$@"; }
    install --require-hashes -r "$venv/source/constraints/runtime.txt"
    install --no-deps --editable "$venv/source"
fi
printf '%s\n' "$PWD/$venv/bin/python"
