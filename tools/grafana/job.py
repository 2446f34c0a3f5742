"""The dashboard Job: where one run is, how its numbers went, what it said, why it ended as it did."""

from __future__ import annotations

from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.models.dashboard import Dashboard

from synapse_otel import semconv
from synapse_otel.mapping.levels import LEVELS
from tools.grafana import looks, marks, names, panels, tables, variables
from tools.grafana.boards import Section, board
from tools.grafana.links import JOB
from tools.grafana.log_store import SEVERITY, LogStore
from tools.grafana.queries import (
    ONE_JOB,
    RATE,
    grown,
    items_rate,
    last,
    or_none,
    progress,
    rate,
    running,
    series,
    shown,
    total,
)
from tools.grafana.sources import as_table, at_the_end, over_time, traces

RUN = f'{names.INSTANCE}=~"$run"'
STEPS = f'{names.CATEGORY}!=""'
WHOLE = f'{names.CATEGORY}=""'
CHOSEN = f'{names.METRIC}=~"$metric"'
IN_CATEGORY = shown(names.CATEGORY)


def dashboard(store: LogStore) -> Dashboard:
    """Return the dashboard."""
    of_job = store.chosen(semconv.JOB_ID, "job")
    return board(
        JOB,
        "Synapse: job",
        "One job: progress, metric curves, steps, messages, the exception, its trace, and what became of its records.",
        [
            variables.tenant(),
            variables.action(),
            variables.plugins(),
            variables.job(),
            variables.metrics(ONE_JOB),
            variables.resolution(),
            variables.level(),
            variables.search(),
            variables.service(ONE_JOB),
            variables.run(),
        ],
        [_where(store, of_job), _numbers(), _used(), _said(store, of_job), _steps(), _delivery()],
        marks=[marks.alerts(ONE_JOB), marks.warnings(store, of_job), marks.events(store, of_job)],
        since="now-6h",
        refresh="10s",
    )


def _of(metric: semconv.Metric, *matchers: str) -> str:
    return series(names.name(metric), ONE_JOB, *matchers)


def _where(store: LogStore, of_job: str) -> Section:
    finished = store.records(store.event(semconv.EVENT_JOB_FINISHED), of_job)
    words = "|".join(level.word for level in LEVELS.values() if level.important)
    problems = f'{names.CONTEXT}=~"{words}"'
    return "Where it is", [
        panels.word(
            "State",
            "Live, stalled (it lives, and says nothing), crashed (its process is gone without an end, and of what) or "
            "done, at the end of the time range. An ended job has a state for an hour; then only its result is left.",
            at_the_end(
                f"max by ({names.STATE}, {names.CAUSE}) ({series(names.recorded('synapse:job_state'), ONE_JOB)})",
                f"{shown(names.STATE)} {shown(names.CAUSE)}",
            ),
            looks.STATE_COLOURS,
            none="not heard for an hour",
        ),
        panels.word(
            "Result",
            "How it ended, as it or the shipper said. Failure: the work failed, see Exceptions; error: the system "
            "ended it, a kill included.",
            store.at_the_end(finished, semconv.JOB_RESULT),
            looks.RESULT_COLOURS,
            none="has not ended",
            source=store.source,
        ),
        panels.number(
            "Progress",
            "Share of the whole that is done; that of the steps by their weights, where the job has steps.",
            at_the_end(f"max({progress(names.JOB, semconv.JOB_PROGRESS, ONE_JOB, WHOLE)})"),
            unit="percentunit",
            none="tells none",
        ),
        panels.number(
            "To go",
            "Estimate from the rate of the present pass. Nothing after the job's end.",
            at_the_end(running(f"max by ({names.JOB}) ({_of(semconv.JOB_ETA, WHOLE)})", names.JOB, ONE_JOB)),
            unit="s",
            none="none",
        ),
        panels.number(
            "Warnings and errors",
            "Messages of the contexts warning, danger, error and critical. They are below, under Messages and events.",
            at_the_end(or_none(total("", last(_of(semconv.JOB_MESSAGES, problems))))),
            steps=((None, looks.GREEN), (1, looks.ORANGE)),
        ),
        panels.number(
            "Values that were no number",
            "Reported metrics that were NaN or infinite: they have no sample in the curves. A loss that is NaN "
            "seldom recovers: look at the learning rate and at the data, and stop the job.",
            at_the_end(or_none(total("", last(_of(semconv.JOB_METRIC_NONFINITE))))),
            steps=((None, looks.GREEN), (1, looks.RED)),
        ),
        _categories(),
        panels.curves(
            "Progress, by category",
            "Share done of each category. A flat line of a running job is a stall, a fall a new pass.",
            [over_time(progress(names.CATEGORY, semconv.JOB_PROGRESS, ONE_JOB, STEPS, latest=False), IN_CATEGORY)],
            unit="percentunit",
        ).max(1),
        panels.curves(
            "Items a second, by category",
            "How fast it goes. Zero while the job runs: look at the last messages, under Messages and events.",
            [over_time(items_rate(names.CATEGORY, names.CATEGORY, ONE_JOB, STEPS), IN_CATEGORY)],
            unit=looks.ITEMS_A_SECOND,
        ),
    ]


def _categories() -> Table:
    by = names.CATEGORY
    current, limit = semconv.JOB_PROGRESS_CURRENT, semconv.JOB_PROGRESS_LIMIT
    runs = f"and on () (max({_of(semconv.JOB_ACTIVE)}) > 0)"
    changed = f"time() - max by ({by}) ({last(_of(semconv.JOB_PROGRESS_TIME, STEPS))})"
    panel = tables.rows(
        "Progress and time to go, by category",
        "The last that each category told; times only while the job runs. Long unchanged and not complete: there it "
        "hangs.",
        [
            as_table(progress(by, semconv.JOB_PROGRESS, ONE_JOB, STEPS), "A"),
            as_table(progress(by, current, ONE_JOB, STEPS), "B"),
            as_table(progress(by, limit, ONE_JOB, STEPS), "C"),
            as_table(f"max by ({by}) ({_of(semconv.JOB_ETA, STEPS)}) {runs}", "D"),
            as_table(f"({changed}) {runs}", "E"),
        ],
    )
    titles = {
        by: "Category",
        "Value #A": "Done",
        "Value #B": "Items",
        "Value #C": "Of",
        "Value #D": "To go",
        "Value #E": "Unchanged for",
    }
    panel = tables.merged(panel, titles).height(7)
    panel = tables.column(panel, "Done", unit="percentunit", decimals=0, bar=looks.ON)
    panel = tables.column(panel, "Items", unit="short")
    panel = tables.column(panel, "Of", unit="short")
    panel = tables.column(panel, "To go", unit="s")
    return tables.column(panel, "Unchanged for", unit="s")


def _numbers() -> Section:
    metric = _of(semconv.JOB_METRIC, CHOSEN)
    by = f"{names.CATEGORY}, {names.METRIC}"
    panel = tables.rows(
        "Metrics, in numbers",
        "Of each metric: the last value, the smallest, the largest, and how many samples the time range holds.",
        [
            as_table(f"max by ({by}) ({last(metric)})", "A"),
            as_table(f"min by ({by}) (min_over_time({metric}[$__range]))", "B"),
            as_table(f"max by ({by}) (max_over_time({metric}[$__range]))", "C"),
            as_table(total(by, f"count_over_time({metric}[$__range])"), "D"),
        ],
    )
    titles = {
        names.METRIC: "Metric",
        names.CATEGORY: "Category",
        "Value #A": "Last",
        "Value #B": "Smallest",
        "Value #C": "Largest",
        "Value #D": "Samples",
    }
    panel = tables.merged(panel, titles).height(10).span(8)
    for title in ("Last", "Smallest", "Largest"):
        panel = tables.column(panel, title, unit="none", decimals=4)
    panel = tables.column(panel, "Samples", unit="short", decimals=0)
    return "Metrics", [
        panels.curves(
            "Metric curves",
            "Every value that the plugin reported, at the millisecond of its report: nothing is averaged, and no time "
            "is rounded to a step. For a job with many thousands of samples choose Curve: at most one a pixel.",
            [at_the_end(f"{metric}$curve", f"{shown(names.METRIC)} ({IN_CATEGORY})")],
            unit="none",
            least=None,
        )
        .height(10)
        .span(16),
        panel,
    ]


def _used() -> Section:
    def summed(metric: semconv.Metric) -> str:
        return total("", _of(metric))

    def by(metric: semconv.Metric, label: str) -> str:
        return f"max by ({label}) ({_of(metric)})"

    gpu = shown(names.GPU)
    disk, network = names.DISK_DIRECTION, names.NETWORK_DIRECTION
    received = f"max by ({network}) (rate({_of(semconv.SYSTEM_NETWORK_IO)}[{RATE}]))"
    return "Resource usage", [
        panels.curves(
            "CPUs kept busy",
            "By the job's processes, children included, and how many it may use: its cgroup's quota or its affinity. "
            "At the limit it would be faster with more; far below it, it waits for something else.",
            [
                over_time(rate("", _of(semconv.PROCESS_CPU_TIME)), "busy"),
                over_time(summed(semconv.JOB_CPU_LIMIT), "limit", "B"),
            ],
            unit="none",
        ).override_by_name("limit", looks.LIMIT_LINE),
        panels.curves(
            "Memory",
            "Resident memory of the job's processes together, and the limit of its cgroup where it has one: there the "
            "kernel kills it. What forked processes share is counted for each.",
            [
                over_time(summed(semconv.PROCESS_MEMORY_USAGE), "used"),
                over_time(f"max({_of(semconv.JOB_MEMORY_LIMIT)})", "limit", "B"),
            ],
            unit="bytes",
        ).override_by_name("limit", looks.LIMIT_LINE),
        panels.curves(
            "Disk",
            "Bytes a second that the job's processes moved from and to disks. What comes out of the page cache is not "
            "among it.",
            [over_time(rate(disk, _of(semconv.PROCESS_DISK_IO)), shown(disk))],
            unit="Bps",
        ),
        panels.curves(
            "Network",
            "Bytes a second over the interfaces of the job's network namespace: in a container the container's, else "
            "the whole host's.",
            [over_time(received, shown(network))],
            unit="Bps",
        ),
        panels.curves(
            "GPU utilisation",
            "Share of the time in which each GPU of the job was at work, for all processes. Low while the job trains: "
            "it waits for its data.",
            [over_time(by(semconv.HW_GPU_UTILIZATION, names.GPU), gpu)],
            unit="percentunit",
        ).max(1),
        panels.curves(
            "GPU memory",
            "Memory in use on each GPU of the job, and how much the smallest of them has.",
            [
                over_time(by(semconv.HW_GPU_MEMORY_USAGE, names.GPU), gpu),
                over_time(f"min({_of(semconv.HW_GPU_MEMORY_LIMIT)})", "limit", "B"),
            ],
            unit="bytes",
        ).override_by_name("limit", looks.LIMIT_LINE),
        panels.curves(
            "GPU power",
            "Power that each GPU of the job draws. It falls where a GPU is throttled, or waits.",
            [over_time(by(semconv.HW_POWER, names.GPU), gpu)],
            unit="watt",
        ),
        panels.curves(
            "Its host",
            "How busy the host's CPUs are and how full its memory is, with all that runs there. A job slows down "
            "beside others when these are at 100 %.",
            [
                over_time(f"max({_of(semconv.SYSTEM_CPU_UTILIZATION)})", "CPUs"),
                over_time(
                    f"max({_of(semconv.SYSTEM_MEMORY_USAGE)}) / max({_of(semconv.SYSTEM_MEMORY_LIMIT)})", "memory", "B"
                ),
            ],
            unit="percentunit",
        ).max(1),
    ]


def _said(store: LogStore, of_job: str) -> Section:
    kind, message, stack = map(
        store.written, (semconv.EXCEPTION_TYPE, semconv.EXCEPTION_MESSAGE, semconv.EXCEPTION_STACKTRACE)
    )
    exceptions = store.records(of_job, store.event(semconv.EVENT_EXCEPTION), store.line(f"{kind}: {message}\n{stack}"))
    level = store.among(SEVERITY, "level")
    messages = store.records(of_job, level, store.text_or_event(), store.search("search"))
    return "What it said", [
        panels.lines(
            "Exceptions",
            "What left the job or a step, with its stack. Empty is good; a killed job has none either, see Result.",
            store.lines(exceptions),
            store.source,
        ).height(8),
        panels.lines(
            "Messages and events",
            "The log records of the job, the newest first: of the levels and with the words that are chosen above. "
            "Open one for its data; its link leads to the trace.",
            store.lines(messages),
            store.source,
        ).height(12),
    ]


def _steps() -> Section:
    ended = grown(series(names.total(semconv.STEP_DURATION), RUN))
    current = f"max by ({names.STEP}) ({_of(semconv.STEP_ELAPSED)})"
    return "Steps", [
        panels.gauges(
            "Step durations",
            "How long each step took, and how it ended; the step that runs has taken so long up to now.",
            [
                at_the_end(
                    total(f"{names.STEP}, {names.STEP_RESULT}", ended),
                    f"{shown(names.STEP)}: {shown(names.STEP_RESULT)}",
                ),
                at_the_end(current, f"{shown(names.STEP)}: running", "B"),
            ],
            unit="s",
        ).span(12),
        tables.found_traces(
            "Trace",
            "The job's trace in Jaeger. Click it for the steps as a waterfall, failures in red, with a link from each "
            "span to its log records. While the job runs, it is named after its beginning.",
            traces("$service", f'{semconv.JOB_ID}="$job"'),
        )
        .height(8)
        .span(12),
    ]


def _delivery() -> Section:
    def records(metric: semconv.Metric) -> str:
        return total(names.SIGNAL, last(series(names.name(metric), RUN)))

    age = f"max by ({names.SIGNAL}) ({last(series(names.name(semconv.SHIPPER_QUEUE_AGE), RUN))})"
    panel = tables.rows(
        "Delivery of its records",
        "What the run has recorded, what still waits on its machine, and for how long. What waits is not in the panels "
        "above yet; nothing of it is lost.",
        [
            as_table(records(semconv.SHIPPER_EMITTED), "A"),
            as_table(records(semconv.SHIPPER_PENDING), "B"),
            as_table(age, "C"),
        ],
    )
    titles = {names.SIGNAL: "Signal", "Value #A": "Recorded", "Value #B": "Waiting", "Value #C": "Oldest waits for"}
    panel = tables.merged(panel, titles).height(6)
    panel = tables.column(panel, "Recorded", unit="short", decimals=0)
    panel = tables.column(panel, "Waiting", unit="short", decimals=0, steps=((None, looks.GREEN), (1, looks.ORANGE)))
    return "Delivery", [tables.column(panel, "Oldest waits for", unit="s")]
