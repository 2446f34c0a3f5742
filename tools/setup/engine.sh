#!/bin/sh
# usage: engine.sh ROOT DATA NUMBER FOLDER...
#
# Runs the Docker engine of the system in ROOT, with its data in DATA, as the first process of namespaces that the caller
# has made: unshare --mount --pid --fork --kill-child --propagation private. It sees each FOLDER at its usual place. Its
# socket and all else that it needs while it runs are in a /run of its own, so with it everything ends, however it ends.
# It shares the machine's network: containers' ports are on the machine's loopback, and nobody's iptables are touched.
set -eu

root=$1 data=$2 number=$3
shift 3
network=198.18.$number # of a range that is routed nowhere (RFC 2544)
cgroup=synapse-otel-$number

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
for folder in /dev /sys "$@"; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
done
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cd "$root"
pivot=$(command -v pivot_root || echo usr/sbin/pivot_root) # the root has it where util-linux 2.42 has it no more
"$pivot" . mnt
umount -l /mnt
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# What a killed engine of this number has left.
ip -brief -4 address show type bridge | awk -v prefix="$network." 'index($3, prefix) == 1 { print $1 }' |
    while read -r bridge; do ip link delete "$bridge"; done
find /sys/fs/cgroup -maxdepth 2 -type d -name "$cgroup" | while read -r left; do
    find "$left" -depth -type d -exec rmdir {} +
done

# docker-init reaps what containers leave behind.
exec docker-init -- dockerd --data-root "$data" --bridge none --iptables=false --ip6tables=false --ip-forward=false \
    --default-address-pool "base=$network.0/24,size=27" --cgroup-parent "/$cgroup" \
    --exec-opt native.cgroupdriver=cgroupfs --log-level warn
