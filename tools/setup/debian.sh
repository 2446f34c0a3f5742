# shellcheck shell=sh
# To be sourced: unpacks a Debian by debootstrap. Whoever does so defines say and give_up.

PATH=$PATH:/usr/sbin:/sbin # where the tools of root are, on some machines not on PATH

# Lists that cannot be renewed (a mirror of long ago, say) may do all the same.
install_packages() {
    {
        apt-get update || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
    } </dev/null >/dev/null
}

# usage: unpack DISTRIBUTION FOLDER PACKAGES; FOLDER is there as a whole or not at all.
unpack() {
    [ ! -d "$2" ] || return 0
    [ "$(id -u)" -eq 0 ] || give_up "only root can unpack Debian $1"
    if ! command -v debootstrap >/dev/null; then
        command -v apt-get >/dev/null || give_up "no debootstrap here to unpack Debian $1 with, and no apt-get"
        say "installing the system's package debootstrap"
        install_packages debootstrap || give_up "could not install debootstrap"
    fi
    say "unpacking Debian $1 into $2 (once, one or two minutes)"
    mkdir -p "${2%/*}"
    unfinished=$(mktemp -d "$2.XXXXXX")
    trap 'rm -rf --one-file-system "$unfinished"' EXIT
    trap 'exit 130' INT TERM
    if ! debootstrap --variant=minbase --include="$3" "$1" "$unfinished" </dev/null >"$unfinished.log" 2>&1; then
        tail -n 5 "$unfinished.log" >&2
        give_up "debootstrap failed; the whole log: $unfinished.log"
    fi
    chmod 755 "$unfinished"
    rm -f "$unfinished.log"
    [ -d "$2" ] || mv "$unfinished" "$2" # unless another run was quicker
    rm -rf --one-file-system "$unfinished"
    trap - EXIT INT TERM
}
