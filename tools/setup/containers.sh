#!/bin/sh
# usage: containers.sh
#
# Unpacks, once into the user's cache folder, the Debian that the Docker engine of the tests runs in, and the one that takes
# the place of the image python:3.13-slim, which cannot be pulled where the tests run. Prints both folders.
set -eu

cd "$(dirname "$0")/../.."
. tools/setup/debian.sh

say() { printf 'containers: %s\n' "$*" >&2; }
give_up() { say "$*"; exit 1; }

caches=${XDG_CACHE_HOME:-$HOME/.cache}/synapse-otel
engine=$caches/docker-26.1-trixie
python=$caches/python-3.13-trixie # as python.sh has it
unpack trixie "$engine" docker.io,docker-cli,docker-compose,docker-buildx,iptables,iproute2,busybox-static >&2
unpack trixie "$python" python3.13,python3.13-venv >&2
printf '%s\n' "$engine" "$python"
