"""Many seeds, some at once, and their table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tools.soak.receiver import Receiver
from tools.soak.scenarios import SCENARIOS, Outcome, Round
from tools.soak.zygote import Zygote


def soak(seeds: Iterable[int], folder: Path, *, jobs: int, say: Callable[[str], object]) -> list[Outcome]:
    """Run seeds, ``jobs`` at once, each in a folder of its own below ``folder``; say which one is not as it must be."""
    queue = list(seeds)
    with Receiver() as receiver, ThreadPoolExecutor(jobs) as pool:

        def work(mine: Sequence[int]) -> list[Outcome]:
            with Zygote() as zygote:
                return [run(seed, zygote) for seed in mine]

        def run(seed: int, zygote: Zygote) -> Outcome:
            outcome = Round(seed, folder / f"seed-{seed}", receiver, zygote).run()
            for line in outcome.found.wrong:
                say(f"seed {seed} ({outcome.scenario}): {line}")
            return outcome

        done = [outcome for outcomes in pool.map(work, _shares(queue, jobs)) for outcome in outcomes]
    return sorted(done, key=lambda outcome: outcome.seed)


def _shares(seeds: Sequence[int], jobs: int) -> list[Sequence[int]]:
    """Return what each of the jobs does: every one some of every scenario."""
    step = len(SCENARIOS)
    blocks = [seeds[at : at + step] for at in range(0, len(seeds), step)]
    return [[seed for block in blocks[number::jobs] for seed in block] for number in range(jobs)]


def table(outcomes: Sequence[Outcome]) -> str:
    """Return what became of the seeds by scenario, one line each."""
    rows = [("scenario", "seeds", "acknowledged", "lost", "duplicates", "recovery median", "max", "wrong")]
    for scenario in [*SCENARIOS, "all"]:
        of = [outcome for outcome in outcomes if scenario in {outcome.scenario, "all"}]
        if of:
            seconds = [outcome.recovery_seconds for outcome in of]
            rows.append(
                (
                    scenario,
                    f"{len(of):,}",
                    f"{sum(outcome.found.acknowledged for outcome in of):,}",
                    f"{sum(outcome.found.lost for outcome in of):,}",
                    f"{sum(outcome.found.duplicates for outcome in of):,}",
                    f"{median(seconds):.2f} s",
                    f"{max(seconds):.2f} s",
                    f"{sum(bool(outcome.found.wrong) for outcome in of):,}",
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
