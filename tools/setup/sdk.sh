#!/bin/sh
# usage: sdk.sh BIN
#
# Lays out one environment per real synapse-sdk, .venv-sdk/VERSION, on Python 3.13, with this project, editable: for each
# constraints/sdk-VERSION.txt. BIN/uv installs, from its cache by hard links. What is as it was the last time stays.
set -eu

cd "$(dirname "$0")/../.."
bin=$1

say() { printf 'synapse-sdk: %s\n' "$*" >&2; }

# Whatever makes another environment: compared with what the last finished run left in made-from.
made_from() {
    pwd
    cat "$pins" pyproject.toml src/synapse_otel/_version.py tools/setup/sdk.sh | cksum
}

for pins in constraints/sdk-*.txt; do
    version=${pins#constraints/sdk-}
    version=${version%.txt}
    venv=.venv-sdk/$version
    wanted=$(made_from)
    if [ "$(cat "$venv/made-from" 2>/dev/null)" = "$wanted" ]; then continue; fi
    say "installing $version into $venv, once for these pins"
    # shellcheck disable=SC2016 # expanded by the inner shell, where PYTHON is a Python 3.13
    sh tools/setup/network.sh "$bin" sh tools/setup/python.sh 3.13 sh -euc '
        uv=$1 venv=$2 pins=$3
        "$uv" venv --quiet --no-project --clear --python "$PYTHON" "$venv"
        "$uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r "$pins"
        "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
    ' sh "$bin/uv" "$venv" "$pins"
    if [ -x "$venv/bin/synapse-otel" ]; then printf '%s\n' "$wanted" >"$venv/made-from"; fi # unless there is no 3.13
done
