#!/bin/sh
# usage: network.sh BIN COMMAND...
#
# Runs COMMAND, which downloads, with the certificates and the index that the pip of BIN/python is told of, by PIP_... or
# a pip.conf: uv, npm and Go, and another Debian's pip, do not look there. Their own variables win.
set -eu

bin=$1
shift

# usage: told NAME VALUE; VALUE is that of the environment, which wins over files.
told() {
    if [ -n "$2" ]; then printf '%s\n' "$2"; return; fi
    "$bin/python" -m pip config list 2>/dev/null | sed -nE "s/^(global|install)\.$1='(.*)'$/\2/p" | tail -n 1
}

cert=$(told cert "${PIP_CERT:-}")
if [ -n "$cert" ]; then
    export PIP_CERT="$cert" SSL_CERT_FILE="${SSL_CERT_FILE:-$cert}" NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-$cert}"
fi
index=$(told index-url "${PIP_INDEX_URL:-}")
if [ -n "$index" ]; then export PIP_INDEX_URL="$index" UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi
exec "$@"
