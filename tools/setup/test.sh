#!/bin/sh
# usage: test.sh BIN
#
# Runs all tests with BIN/python, and beside them, at the same time, on Python 3.13 those that may depend on the
# Python: most of them wait for processes more than they compute. Fails if either run does.
set -eu

bin=$1
log=.venv313.log

if "$bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'; then
    echo 'Python 3.13: is the Python of .venv already, so the tests run once'
    exec "$bin/python" -m pytest -n auto --dist loadfile
fi

sh tools/setup/python313.sh sh tools/setup/venv.sh .venv313
echo "Python 3.13: its run goes on beside this one, in $log"
sh tools/setup/python313.sh \
    sh -c 'if [ -x .venv313/bin/python ]; then .venv313/bin/python -m pytest -m "not stack and not once"; fi' >"$log" 2>&1 &
second=$!
trap 'kill "$second" 2>/dev/null' INT TERM

status=0
"$bin/python" -m pytest -n auto --dist loadfile || status=$?
if wait "$second"; then
    echo "Python 3.13: $(tail -n 1 "$log")"
else
    cat "$log"
    status=1
fi
exit "$status"
