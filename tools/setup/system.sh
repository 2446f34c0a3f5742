#!/bin/sh
# usage: system.sh
#
# Sees to what the tests need of the system: a C compiler and Python's headers for the compiled module, the libraries
# that LightGBM and Playwright load, mke2fs for small disks, curl for the commands of the documentation, Java and Maven
# for Kafka, and a Chromium for the page of `synapse-otel view`: one on PATH, one that CHROMIUM names, or else the
# system's package.
# Tests for which something is missing are left out or fail, but a machine of CI stops here.
set -eu

cd "$(dirname "$0")/../.."
. tools/setup/debian.sh

say() { printf 'system: %s\n' "$*" >&2; }

give_up() {
    say "$*"
    [ "${CI:-false}" != true ] || { say "CI must not leave these tests out: stopping"; exit 1; }
}

install_or_say() {
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        give_up "missing, and not ours to install: $*"
        return 0
    fi
    say "installing the system's packages $*"
    install_packages "$@" || give_up "could not install $*"
}

has_chromium() {
    [ -z "${CHROMIUM:-}" ] || return 0
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    return 1
}

python=.venv/bin/python
missing=''
command -v "${CC:-cc}" >/dev/null || missing="$missing gcc libc6-dev"
"$python" -c 'import sysconfig; open(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null \
    || missing="$missing $("$python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')"
if command -v ldconfig >/dev/null; then
    for name in gomp atomic; do
        ldconfig -p | grep -q "lib$name.so.1 " || missing="$missing lib${name}1"
    done
fi
command -v mke2fs >/dev/null || missing="$missing e2fsprogs"
command -v curl >/dev/null || missing="$missing curl"
command -v java >/dev/null || missing="$missing default-jre-headless"
command -v mvn >/dev/null || missing="$missing maven"
# shellcheck disable=SC2086 # several packages
[ -z "$missing" ] || install_or_say $missing
"$python" hatch_build.py compile
has_chromium || install_or_say chromium
has_chromium || say "NOT RUN: tests in a browser; install Chromium, or name one with CHROMIUM=/path/to/chromium"
