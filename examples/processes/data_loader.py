"""A loader of the shape of PyTorch's ``DataLoader``: forked workers that fetch ahead, ended when an epoch ends.

``python data_loader.py [EPOCHS]``. The process that forks has threads which record all the time, as a training has.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

import synapse_otel
from synapse_otel import RuntimeContext

WORKERS: Final = 2
AHEAD: Final = 2
"""Batches that each worker may be ahead."""
BATCHES: Final = 6
FORK: Final = multiprocessing.get_context("fork")


class Failed:
    """An exception of a worker, on its way to who waits for the batch."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Images:
    """A dataset; what it records in a worker belongs to the job."""

    def __init__(self, ctx: RuntimeContext, missing: int | None = None) -> None:
        self.ctx = ctx
        self.missing = missing

    def load(self, number: int) -> list[int]:
        """Return a batch."""
        if number == self.missing:
            self.ctx.log_message(f"batch {number} is missing", "danger")
            raise FileNotFoundError(number)
        self.ctx.log("batch_loaded", {"number": number})
        return [number] * 4


def work(dataset: Images, wanted: Any, found: Any) -> None:
    """Load what is wanted until nothing is."""
    while (number := wanted.get()) is not None:
        try:
            batch: Any = dataset.load(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the batch is waited for
            batch = Failed(error)
        found.put((number, batch))


def batches(dataset: Images) -> Iterator[list[int]]:
    """Yield the batches in order; the workers are ended when there are no more, or nobody wants more."""
    found = FORK.Queue()
    wanted = [FORK.Queue() for _ in range(WORKERS)]
    workers = [FORK.Process(target=work, args=(dataset, queue, found), daemon=True) for queue in wanted]
    for worker in workers:
        worker.start()
    arrived: dict[int, Any] = {}
    asked = 0
    try:
        for number in range(BATCHES):
            while asked < min(BATCHES, number + WORKERS * AHEAD):
                wanted[asked % WORKERS].put(asked)
                asked += 1
            while number not in arrived:
                at, batch = found.get(timeout=60)
                arrived[at] = batch
            batch = arrived.pop(number)
            if isinstance(batch, Failed):
                raise batch.error
            yield batch
        for queue in wanted:
            queue.put(None)
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def train(ctx: RuntimeContext, epochs: int) -> int:
    """Train, with a loader that is started anew for each epoch, while other threads record; return what they did."""
    over = threading.Event()
    counts = [0, 0]
    epoch = 0

    def watch(thread: int) -> None:
        while not over.is_set():
            if counts[thread] < 100 * epoch:
                ctx.log_dev_event("watched", {"thread": thread, "count": counts[thread]})
                counts[thread] += 1
            else:
                over.wait(0.001)

    threads = [threading.Thread(target=watch, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    try:
        for epoch in range(1, epochs + 1):  # a hundred records of each thread, while the workers are forked
            loaded = sum(1 for _ in batches(Images(ctx)))
            ctx.set_progress(epoch, epochs, category="training")
            ctx.set_metrics({"loaded": loaded}, category="training")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return sum(counts)


def main(epochs: int) -> None:
    """Run the job; its last loader meets a batch that is missing, which ends the epoch but not the job."""
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="loader", job_id="loader", logger=NoOpLogger()) as ctx:
        watched = train(ctx, epochs)
        try:
            list(batches(Images(ctx, missing=BATCHES - 1)))
        except FileNotFoundError as error:
            ctx.log_message(f"ended early: {error!r}", "warning")
    print(f"watched {watched}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
