#!/bin/sh
# usage: core.sh FOLDER
#
# Runs with the Python of FOLDER, an environment of venv.sh, the tests that may depend on the Python: the journal, the
# recorder, signals, threads, forks, ends of processes, plugins, and the shipper as a process. Leaves out what is missing.
# One Python does the work of the compiled module itself, the others do it in both ways and compare.
set -eu

if [ ! -x "$1/bin/python" ]; then exit; fi
case $1 in *-3.13) native=off ;; *) native=compare ;; esac
SYNAPSE_OTEL_NATIVE=$native exec "$1/bin/python" -m pytest -p no:cacheprovider -m 'not stack and not once' \
    --ignore tests/plugins/test_console_terminal.py \
    tests/journal tests/native tests/mapping tests/plugins tests/faults/test_exit.py tests/faults/test_processes.py \
    tests/faults/test_host_mistakes.py tests/test_guard.py tests/test_environment.py tests/test_otel_private.py
