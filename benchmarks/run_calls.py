"""Measures the calls of one contender; `python -m benchmarks` runs this for each, in processes of its own."""

from __future__ import annotations

import argparse

import pyperf

from benchmarks.calls import CONTENDERS


def _pass_on(command: list[str], arguments: argparse.Namespace) -> None:
    command += ["--contender", arguments.contender]


def main() -> None:
    """Measure, as a pyperf script."""
    runner = pyperf.Runner(program_args=("-m", "benchmarks.run_calls"), add_cmdline_args=_pass_on)
    runner.argparser.add_argument("--contender", choices=sorted(CONTENDERS), required=True)
    arguments = runner.parse_args()
    with CONTENDERS[arguments.contender]() as calls:
        for name, call in calls.items():
            runner.bench_func(name, call)


if __name__ == "__main__":
    main()
