"""Jobs that are looked at while they run. ``python jobs.py JOB ARGUMENTS`` runs one."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"


def hostile() -> None:
    """Record texts that a careless page would obey, wherever a text can stand."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job(
        f"train{EVIL}",
        plugin=f"evil\x1b[31m\u202e{EVIL}",
        version=EVIL,
        job_id=f"job-{EVIL}",
        params={EVIL: EVIL},
        logger=NoOpLogger(),
    ) as ctx:
        scope = ctx.scope.begin_step(f"step{EVIL}\x1b[31m", order=1, weight=1)
        with scope.activated():
            ctx.set_progress(1, 2, f"phase{EVIL}")
            ctx.set_metrics({f"loss{EVIL}": 0.5}, f"phase{EVIL}")
            ctx.set_metrics({f"loss{EVIL}": 0.25}, f"phase{EVIL}")
            ctx.log_message(f"message {EVIL}", "warning")
            ctx.log(f"event{EVIL}", {EVIL: EVIL, "nested": {EVIL: "</script>"}}, f"/tmp/{EVIL}")
            ctx.log_message("log in with password=hunter2hunter2")
            ctx.log_message("javascript:window.hacked=3 \u202e \x1b[31m \x00 end", "danger")
        scope.end()


def obedient() -> None:
    """Do what the lines of stdin say, one at a time, and confirm each."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="steered", version="0.7.0", job_id="job-steered", logger=NoOpLogger()) as ctx:
        scope = ctx.scope.begin_step("train", order=1, weight=1)
        with scope.activated():
            print("ready", flush=True)
            for line in sys.stdin:
                word, _, rest = line.strip().partition(" ")
                if word == "progress":
                    ctx.set_progress(int(rest), 100, "train")
                elif word == "metric":
                    ctx.set_metrics({"loss": float(rest)}, "train")
                elif word == "image":
                    ctx.log_visualization("val", "boxes", 0, rest)
                elif word == "phase":
                    ctx.set_metrics({"phase": rest}, "train")
                elif word == "say":
                    ctx.log_message(rest)
                elif word == "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                elif word == "end":
                    break
                print("done", flush=True)
        scope.end()


def many(count: str) -> None:
    """Say many things."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("upload", plugin="talkative", job_id="job-many", logger=NoOpLogger()) as ctx:
        for number in range(int(count)):
            ctx.log_message(f"record number {number}", "danger" if number % 1000 == 777 else "info")
            ctx.set_metrics({"value": number % 97, "peak": 1000 if number == 5001 else 0})


def swept(number: str, rate: str, optimizer: str, loss: str) -> None:
    """Be one of the runs of a sweep."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    params = {"lr": float(rate), "optimizer": optimizer}
    with synapse_otel.job(
        "train", plugin="net", name=f"sweep-{number}", tags=["sweep"], params=params, logger=NoOpLogger()
    ) as ctx:
        for more in (1.0, 0.5, 0.0):
            ctx.set_metrics({"loss": float(loss) + more}, "val")


def sweep(rate: str, count: str = "60") -> None:
    """Train with a learning rate: the loss has an outlier, and the validation is every tenth step."""
    import math

    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    params = {"lr": float(rate), "optimizer": {"name": "sgd"}}
    validation = "validation " + "x" * 90
    with synapse_otel.job("train", plugin="sweep", version="1.0.0", params=params, logger=NoOpLogger()) as ctx:
        for step in range(int(count)):
            loss = 500.0 if step == 7 else math.exp(-step * float(rate)) + 0.05 * math.sin(step)
            ctx.set_metrics({"step": 1000 + 5 * step, "loss": loss, "accuracy": 1 - math.exp(-step / 30)}, "train")
            if step % 10 == 0:
                ctx.set_metrics({"epoch": step // 10, "loss": 1 / (step + 1)}, validation)


def wide(categories: str, names: str, job_id: str = "job-wide") -> None:
    """Report many metrics of many categories, three times each."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="wide", job_id=job_id or None, logger=NoOpLogger()) as ctx:
        for time in range(3):
            for category in range(int(categories)):
                ctx.set_metrics({f"group{n % 7}/value{n}": time * n for n in range(int(names))}, f"class {category}")


def pictures(folder: str, epochs: str = "8") -> None:
    """Log predictions of six samples at each epoch, and what can go wrong with images."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger
    from tests.ui.pictures import SVG, bomb, png, prediction

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)

    def written(name: str, data: bytes) -> Path:
        (place / name).write_bytes(data)
        return place / name

    with synapse_otel.job("train", plugin="seer", version="3.1.0", job_id="job-seer", logger=NoOpLogger()) as ctx:
        for epoch in range(int(epochs)):
            ctx.set_metrics(
                {"epoch": epoch, "loss": 1 / (epoch + 1), "phase": "warm-up" if epoch < 3 else "fine"}, "train"
            )
            for sample in range(6):
                path = written(f"{epoch}-{sample}.png", prediction(sample, epoch))
                ctx.log_visualization("validation", f"epoch_{epoch}", sample, path, label=f"class {sample}", score=0.7)
            curve = written(f"curve {epoch}.png", png(200, 80, lambda x, y, e=epoch: (x, 255 - y, 20 * e)))
            ctx.log("curve", {"epoch": epoch}, file=curve, category="train")
        ctx.log("checkpoint", {"epoch": 8}, file=written("weights.pt", bytes(10)))
        for name, data in (("svg.png", SVG), ("text.png", b"no image"), ("bomb.png", bomb(60_000, 60_000))):
            ctx.log_visualization("odd", "bad input", name, written(name, data))
        ctx.log_visualization("odd", "bad input", "gone", place / "gone.png")
        ctx.log_visualization("odd", "bad input", "replaced", written("replaced.png", png(8, 8, (1, 2, 3))))
        ctx.log_visualization("odd", "bad input", "damaged", written("damaged.png", png(8, 8, (1, 2, 3))[:40]))
    written("replaced.png", png(9, 9, (200, 30, 30)))


def phases(count: str) -> None:
    """Set a text metric again and again, and say something now and then."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="phases", job_id="job-phases", logger=NoOpLogger()) as ctx:
        for number in range(int(count)):
            ctx.set_metrics({"phase": f"phase {number}"}, "train")
            if number % 100 == 0:
                ctx.log_message(f"message {number}")


def named(paths: str) -> None:
    """Log the files of a list in JSON, in which each has a name for its event."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="named", job_id="job-named", logger=NoOpLogger()) as ctx:
        for name, path in json.loads(paths).items():
            ctx.log(name, file=path)


def crowd(count: str) -> None:
    """Be many runs, each of a forked process, with two categories of ten metrics."""
    import importlib

    for module in ("loggers", "mapping.job", "runtime.job", "runtime.run_names", "sdk.install", "shipper.launch"):
        importlib.import_module(f"synapse_otel.{module}")
    for _ in range(int(count)):
        child = os.fork()
        if not child:
            wide("2", "10", "")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    jobs = {
        "hostile": hostile, "obedient": obedient, "many": many, "swept": swept, "sweep": sweep, "wide": wide,
        "pictures": pictures, "named": named, "phases": phases, "crowd": crowd,
    }  # fmt: skip
    jobs[sys.argv[1]](*sys.argv[2:])
