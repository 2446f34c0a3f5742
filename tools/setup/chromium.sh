#!/bin/sh
# usage: chromium.sh
#
# Sees to a Chromium for the tests that look at the page of `synapse-otel view`: one on PATH, one that CHROMIUM names,
# or else the system's package. Without one these tests are left out, but never on a machine of CI.
set -eu

say() { printf 'Chromium: %s\n' "$*" >&2; }

give_up() {
    say "$*"
    [ "${CI:-false}" != true ] || { say "CI must not leave these tests out: stopping"; exit 1; }
    say "NOT RUN: tests in a browser; install Chromium, or name one with CHROMIUM=/path/to/chromium"
    exit 0
}

[ -z "${CHROMIUM:-}" ] || exit 0
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
command -v apt-get >/dev/null || give_up "none found, and no apt-get here to install one with"
[ "$(id -u)" -eq 0 ] || give_up "none found: sudo apt-get install chromium"
say "installing the system's package chromium, for the tests in a browser"
{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } \
    </dev/null >/dev/null || give_up "could not install it"
