#!/bin/sh
# usage: check.sh BIN
#
# Runs with BIN/python the tests that are quick: those of what needs no servers, browsers, other Pythons or real processes.
set -eu

exec "$1/python" -m pytest -n auto --dist worksteal -m 'not stack' \
    --ignore tests/plugins/test_console_terminal.py --ignore tests/journal/test_writer.py \
    --ignore tests/journal/test_fuzz.py --ignore tests/journal/test_model.py --ignore tests/mapping/test_templates.py \
    --ignore tests/runs/test_cli.py --ignore tests/runs/test_demo.py \
    tests/mapping tests/plugins tests/journal tests/shipper tests/runs tests/alerts tests/grafana \
    tests/cli/test_odd_numbers.py tests/verify/test_samples.py tests/test_architecture.py tests/test_docs.py tests/test_otel_private.py \
    tests/test_redaction.py tests/test_settings.py tests/test_testing.py
