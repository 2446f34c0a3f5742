#!/bin/sh
# usage: test.sh BIN
#
# Runs all tests with BIN/python, and beside them, at the same time, those that may depend on the Python on the oldest, the
# newest and the one between: most of them wait for processes more than they compute. Fails if any run does.
set -eu

bin=$1
main=$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
others=''
for version in 3.11 3.13 3.15; do
    if [ "$version" != "$main" ]; then others="$others $version"; fi
done

for version in $others; do
    sh tools/setup/network.sh "$bin" sh tools/setup/python.sh "$version" sh tools/setup/venv.sh ".venv-$version"
done

run_others() {
    failed=0
    for version in $others; do
        sh tools/setup/python.sh "$version" sh tools/setup/core.sh ".venv-$version" >".venv-$version.log" 2>&1 || failed=1
    done
    return $failed
}

echo "Python$others: the core of the tests runs beside those of $main, in .venv-VERSION.log"
run_others &
beside=$!
trap 'kill "$beside" 2>/dev/null' INT TERM

status=0
sh tools/setup/network.sh "$bin" "$bin/python" -m pytest -n auto --dist loadfile || status=$?
if wait "$beside"; then
    for version in $others; do echo "Python $version: $(tail -n 1 ".venv-$version.log")"; done
else
    for version in $others; do cat ".venv-$version.log"; done
    status=1
fi
exit "$status"
