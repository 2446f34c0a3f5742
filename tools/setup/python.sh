#!/bin/sh
# usage: python.sh VERSION COMMAND...
#
# Runs COMMAND in the project's folder with PYTHON set to a Python of VERSION, 3.13 say. It is looked for on PATH, among
# pyenv's and uv's own installations, and else taken from the Debian that has it, unpacked once into the user's cache
# folder; COMMAND then runs inside that system, which sees the project, the home folder and /tmp at their usual places.
# PYTHON313 (PYTHON315, ...) decides instead: the path of an interpreter, or the word debootstrap.
set -eu

tree=$(cd "$(dirname "$0")/../.." && pwd)
cd "$tree"
version=$1
shift
variable=PYTHON$(printf '%s' "$version" | tr -d .)
wanted=$(printenv "$variable" || true)

packages=python$version,python$version-venv
case $version in
    3.11) distribution=bookworm packages=python3,python3-venv ;; # debootstrap finds no package by what it provides
    3.13) distribution=trixie ;;
    *) distribution=sid ;;
esac
system=${XDG_CACHE_HOME:-$HOME/.cache}/synapse-otel/python-$version-$distribution

say() { printf 'Python %s: %s\n' "$version" "$*" >&2; }

# Nobody is stopped by a missing further Python, but a machine of CI does not leave it out in silence.
give_up() {
    say "$*"
    if [ "${CI:-false}" = true ]; then
        say "CI must not leave this run out: stopping"
        exit 1
    fi
    say "NOT RUN: install Python $version, or name it with $variable=/path/to/python$version"
    exit 0
}

is_it() { "$1" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$version" >/dev/null 2>&1; }

find_it() {
    for candidate in \
        "python$version" \
        "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version"*"/bin/python$version" \
        "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python/cpython-$version"*"/bin/python$version"; do
        if is_it "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# In a mount namespace of its own: what is mounted is gone when COMMAND ends, however it ends.
run_in_system() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec unshare --mount --propagation private sh -euc '
        system=$1 python=$2 tree=$3
        shift 3
        for folder in /proc /dev /sys /tmp /etc/ssl "$HOME" "$tree"; do
            mkdir -p "$system$folder"
            mount --rbind "$folder" "$system$folder"
        done
        cp -L /etc/resolv.conf /etc/hosts "$system/etc/"
        exec chroot "$system" /usr/bin/env PATH=/usr/bin:/bin:/usr/sbin:/sbin PYTHON="$python" \
            sh -euc "cd \"\$0\"; exec \"\$@\"" "$tree" "$@"
    ' sh "$system" "/usr/bin/python$version" "$tree" "$@"
}

case $wanted in
    debootstrap) ;;
    ?*)
        is_it "$wanted" || { say "$variable=$wanted is not a Python $version"; exit 1; }
        export PYTHON="$wanted"
        exec "$@"
        ;;
    *)
        if PYTHON=$(find_it); then
            export PYTHON
            exec "$@"
        fi
        ;;
esac

. tools/setup/debian.sh
[ "$(id -u)" -eq 0 ] || give_up "none found, and only root can unpack a system that has it"
unpack "$distribution" "$system" "$packages"
unshare --mount true 2>/dev/null || give_up "none found, and this machine does not let us mount folders"
run_in_system "$@"
