"""Every span, metric, event and attribute name that synapse-otel emits, with unit and description.

The one source for code, docs tables, dashboards, alert rules and tests. Names follow the OpenTelemetry
naming rules; ours live under ``synapse.``. Names that OpenTelemetry's own semantic conventions define
(``error.type``, ``exception.*``, ``file.path``...) are used as they are and listed here as borrowed.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

SCOPE_NAME: Final = "synapse_otel"
"""Name of the instrumentation scope of everything that the context API records."""
SHIPPER_SCOPE_NAME: Final = "synapse_otel.shipper"
"""Name of the instrumentation scope of what the shipper says of itself."""


class Attribute(NamedTuple):
    """An attribute: its key, its type in OpenTelemetry's words, what it says, and where it stands."""

    key: str
    type: str
    description: str
    on: str


class Metric(NamedTuple):
    """A metric: its name, instrument, UCUM unit, what it says, and the attributes of its points."""

    name: str
    instrument: Literal["gauge", "counter", "updowncounter", "histogram"]
    unit: str
    description: str
    attributes: tuple[str, ...] = ()


class Event(NamedTuple):
    """A log record with an ``event_name`` of ours."""

    name: str
    severity: str
    description: str


# --- attributes -------------------------------------------------------------------------------------

TENANT: Final = "synapse.tenant"
PROJECT: Final = "synapse.project"
RUN_NAME: Final = "synapse.run.name"
RUN_TAGS: Final = "synapse.run.tags"
RUN_NOTES: Final = "synapse.run.notes"
TRIAL_ID: Final = "synapse.trial.id"
JOB_ID: Final = "synapse.job.id"
JOB_RESULT: Final = "synapse.job.result"
PLUGIN_NAME: Final = "synapse.plugin.name"
PLUGIN_VERSION: Final = "synapse.plugin.version"
ACTION: Final = "synapse.action"
CATEGORY: Final = "synapse.category"
CHECKPOINT_CATEGORY: Final = "synapse.checkpoint.category"
CHECKPOINT_PATH: Final = "synapse.checkpoint.path"
STEP_NAME: Final = "synapse.step.name"
STEP_ORDER: Final = "synapse.step.order"
STEP_WEIGHT: Final = "synapse.step.weight"
STEP_SKIPPED: Final = "synapse.step.skipped"
STEP_RESULT: Final = "synapse.step.result"
STEP_ERROR: Final = "synapse.step.error"
STEP_PHASE: Final = "synapse.step.phase"
SPAN_MARKER: Final = "synapse.span.marker"
METRIC_NAME: Final = "synapse.metric.name"
MESSAGE_CONTEXT: Final = "synapse.message.context"
MESSAGE_CODE: Final = "synapse.message.code"
AUDIENCE: Final = "synapse.audience"
EVENTS_DROPPED: Final = "synapse.events.dropped"
EVENT_NAME_LABEL: Final = "synapse.event.name"
DATA_PREFIX: Final = "synapse.data."
PARAMS_PREFIX: Final = "synapse.params."
PRODUCT_PREFIX: Final = "synapse."
SERVICE_NAME: Final = "service.name"
SERVICE_NAMESPACE: Final = "service.namespace"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
PROCESS_COMMAND_ARGS: Final = "process.command_args"
VCS_NAME: Final = "vcs.ref.head.name"
VCS_REVISION: Final = "vcs.ref.head.revision"
LOG_RECORD_UID: Final = "log.record.uid"
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
FILE_PATH: Final = "file.path"
FILE_SIZE: Final = "file.size"
FILE_MODIFIED: Final = "file.modified"
FILE_DIRECTORY: Final = "file.directory"
MESSAGE: Final = "message"
SIGNAL: Final = "synapse.signal"
OUTCOME: Final = "synapse.verify.outcome"
COMPONENT_TYPE: Final = "otel.component.type"
COMPONENT_NAME: Final = "otel.component.name"
LOSS_REASON: Final = "synapse.platform.loss.reason"
CPU_MODE: Final = "cpu.mode"
DISK_DIRECTION: Final = "disk.io.direction"
NETWORK_DIRECTION: Final = "network.io.direction"
MEMORY_STATE: Final = "system.memory.state"
HW_ID: Final = "hw.id"
HW_NAME: Final = "hw.name"
HW_MODEL: Final = "hw.model"
HW_TYPE: Final = "hw.type"
USAGE_MEMORY_PEAK: Final = "synapse.usage.memory.peak"
USAGE_MEMORY_LIMIT: Final = "synapse.usage.memory.limit"
USAGE_CPU_TIME: Final = "synapse.usage.cpu.time"
USAGE_CPU_PEAK: Final = "synapse.usage.cpu.peak"
USAGE_CPU_LIMIT: Final = "synapse.usage.cpu.limit"
USAGE_PROCESSES_PEAK: Final = "synapse.usage.processes.peak"
USAGE_DISK_READ: Final = "synapse.usage.disk.read"
USAGE_DISK_WRITE: Final = "synapse.usage.disk.write"
USAGE_NETWORK_RECEIVE: Final = "synapse.usage.network.receive"
USAGE_NETWORK_TRANSMIT: Final = "synapse.usage.network.transmit"
USAGE_GPU_UTILIZATION_PEAK: Final = "synapse.usage.gpu.utilization.peak"
USAGE_GPU_MEMORY_PEAK: Final = "synapse.usage.gpu.memory.peak"
USAGE_GPU_POWER_PEAK: Final = "synapse.usage.gpu.power.peak"

_USED: Final = "job span, worker span"
WORKER_ID: Final = "synapse.worker.id"
WORKER_PID: Final = "synapse.worker.pid"
WORKER_HOST: Final = "synapse.worker.host"
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = "process.pid"
RAY_ACTOR_ID: Final = "ray.actor_id"
RAY_TASK_ID: Final = "ray.task_id"
RAY_WORKER_ID: Final = "ray.worker_id"
RAY_NODE_ID: Final = "ray.node_id"
RAY_JOB_ID: Final = "ray.job_id"
"""Of Ray: named as its own tracing names them."""

ATTRIBUTES: Final[tuple[Attribute, ...]] = (
    Attribute(SERVICE_NAME, "string", "Name of the plugin, unless OTEL_SERVICE_NAME is set.", "resource"),
    Attribute(SERVICE_NAMESPACE, "string", "`synapse`.", "resource"),
    Attribute(SERVICE_VERSION, "string", "Version of the plugin.", "resource"),
    Attribute(SERVICE_INSTANCE_ID, "string", "Id of the journal: one for each run and process.", "resource"),
    Attribute(PROCESS_COMMAND_ARGS, "string[]", "Command line, without the values of secret options.", "resource"),
    Attribute(VCS_NAME, "string", "Branch of the git repository that the job runs in.", "resource"),
    Attribute(VCS_REVISION, "string", "Its revision.", "resource"),
    Attribute(TENANT, "string", "Tenant that a platform sets in OTEL_RESOURCE_ATTRIBUTES.", "resource"),
    Attribute(PROJECT, "string", "Project that a platform sets in OTEL_RESOURCE_ATTRIBUTES.", "resource"),
    Attribute(
        RUN_NAME, "string", "Name of the run: given, or made of plugin, action and a number.", "resource, job span"
    ),
    Attribute(RUN_TAGS, "string[]", "Tags of the run.", "resource, job span"),
    Attribute(RUN_NOTES, "string", "What somebody has written about the run.", "job span"),
    Attribute(TRIAL_ID, "string", "Id of the trial of a search for hyperparameters that a job is.", "job span"),
    Attribute(JOB_ID, "string", "Id of the job: the platform's, or made by synapse-otel.", "everything"),
    Attribute(
        JOB_RESULT,
        "string",
        "How the job ended: success, failure, error, timeout, cancellation, skip.",
        "job span, job duration, job finished event",
    ),
    Attribute(PLUGIN_NAME, "string", "Name of the plugin.", "job span, metrics"),
    Attribute(PLUGIN_VERSION, "string", "Version of the plugin.", "job span"),
    Attribute(
        ACTION, "string", "What the job does: train, export, upload, inference...", "resource, job span, metrics"
    ),
    Attribute(CATEGORY, "string", "Phase that a record belongs to; the step's name inside a step.", "everything"),
    Attribute(CHECKPOINT_CATEGORY, "string", "`base` or the kind of fine-tuned model a job starts from.", "job span"),
    Attribute(CHECKPOINT_PATH, "string", "Path of the model that a job starts from.", "job span"),
    Attribute(STEP_NAME, "string", "Name of the step.", "step span, step duration"),
    Attribute(STEP_ORDER, "int", "Place of the step in its workflow, from 1.", "step span"),
    Attribute(STEP_WEIGHT, "double", "Share of the whole, relative to the other steps' weights.", "step span"),
    Attribute(STEP_SKIPPED, "boolean", "Whether the step was skipped.", "step span"),
    Attribute(
        STEP_RESULT, "string", "How the step ended, in the words of the job's result.", "step span, step duration"
    ),
    Attribute(STEP_ERROR, "string", "What the step itself reported as its error.", "step span"),
    Attribute(
        STEP_PHASE,
        "string",
        "`rollback` for the span of a rollback, `worker` for that of another process at work on a step, `submit` for "
        "that of an action of the Synapse SDK that is handed on to Ray.",
        "rollback span, worker span, submit span",
    ),
    Attribute(
        WORKER_ID,
        "string",
        "What tells the workers of a job apart: Ray's id of the actor, else of its worker; elsewhere host and process.",
        "worker span; progress and counters of a worker; exception that tells of its end",
    ),
    Attribute(WORKER_PID, "int", "Process id of the worker that an exception tells of.", "exception"),
    Attribute(WORKER_HOST, "string", "Its host, as Ray calls it.", "exception"),
    Attribute(HOST_NAME, "string", "Host of the worker.", "worker span"),
    Attribute(PROCESS_PID, "int", "Process id of the worker.", "worker span"),
    Attribute(RAY_ACTOR_ID, "string", "Ray's id of the actor.", "worker span in Ray, exception that tells of its end"),
    Attribute(RAY_TASK_ID, "string", "Ray's id of the task that was handed the context first.", "worker span in Ray"),
    Attribute(RAY_WORKER_ID, "string", "Ray's id of the process.", "worker span in Ray"),
    Attribute(RAY_NODE_ID, "string", "Ray's id of the node.", "worker span in Ray, exception that tells of its end"),
    Attribute(RAY_JOB_ID, "string", "Ray's id of what one driver runs.", "worker span in Ray"),
    Attribute(SPAN_MARKER, "boolean", "True on the zero-length span that shows a job or step as begun.", "marker span"),
    Attribute(METRIC_NAME, "string", "The plugin's own name of the metric.", "synapse.job.metric"),
    Attribute(
        MESSAGE_CONTEXT,
        "string",
        "The message's context as its author wrote it: info, success, warning, danger...",
        "message",
    ),
    Attribute(MESSAGE_CODE, "string", "Code of a localised message.", "message"),
    Attribute(AUDIENCE, "string", "`developer` on what is not meant for end users.", "developer event"),
    Attribute(
        EVENTS_DROPPED, "int", "Span events beyond the budget; the log records are complete.", "job and step span"
    ),
    Attribute(EVENT_NAME_LABEL, "string", "Name of the event that a counter counts.", "synapse.job.events"),
    Attribute(
        f"{DATA_PREFIX}*", "any", "What the caller passed as `data`, nested mappings flattened with dots.", "event"
    ),
    Attribute(f"{PARAMS_PREFIX}*", "any", "Parameters of the job.", "job and step span"),
    Attribute(
        f"{PRODUCT_PREFIX}*",
        "any",
        "What a job produced: the fields of its step context (synapse.exported_count...).",
        "job and step span",
    ),
    Attribute(
        LOG_RECORD_UID, "string", "Journal id and sequence number: identifies a record sent twice.", "log record"
    ),
    Attribute(
        ERROR_TYPE,
        "string",
        "Class of the exception, name of the signal, `oom_killed` where the cgroup tells, or `killed`.",
        "span, job finished event, crashes",
    ),
    Attribute(EXCEPTION_TYPE, "string", "Class of the exception.", "exception"),
    Attribute(EXCEPTION_MESSAGE, "string", "Message of the exception.", "exception"),
    Attribute(EXCEPTION_STACKTRACE, "string", "Stack of the exception.", "exception"),
    Attribute(FILE_PATH, "string", "File that an event is about.", "event"),
    Attribute(FILE_SIZE, "int", "Its size in bytes, where it exists.", "event"),
    Attribute(FILE_MODIFIED, "string", "When it was last written, in ISO 8601, where it exists.", "event"),
    Attribute(FILE_DIRECTORY, "string", "What a relative `file.path` is relative to: the working directory.", "event"),
    Attribute(MESSAGE, "string", "Text of a message.", "span event"),
    Attribute(
        SIGNAL,
        "string",
        "`logs`, `metrics` or `traces`; of `verify`: `logs`, `samples`, `progress`, `spans`.",
        "self-telemetry",
    ),
    Attribute(
        OUTCOME,
        "string",
        "Of records: `found`, `missing`, `different`, `double`, `kept_away`, `unverified`; of runs: `complete`, "
        "`incomplete`, `unverified`.",
        "the file of `verify --textfile`",
    ),
    Attribute(
        COMPONENT_TYPE, "string", "`otlp_http_exporter` or `otlp_grpc_exporter`; `synapse_journal`.", "self-telemetry"
    ),
    Attribute(
        LOSS_REASON,
        "string",
        "`dropped`, `unsent` or `delivery_unconfirmed`, as the Synapse SDK's own logger counts them.",
        "synapse.platform.log.lost",
    ),
    Attribute(COMPONENT_NAME, "string", "Type and signal: `otlp_http_exporter/logs`.", "self-telemetry"),
    Attribute(CPU_MODE, "string", "`user` or `system`.", "process.cpu.time"),
    Attribute(DISK_DIRECTION, "string", "`read` or `write`.", "process.disk.io"),
    Attribute(NETWORK_DIRECTION, "string", "`receive` or `transmit`.", "system.network.io"),
    Attribute(MEMORY_STATE, "string", "`used`.", "system.memory.usage"),
    Attribute(HW_ID, "string", "UUID of a GPU.", "hw.*"),
    Attribute(HW_NAME, "string", "Its number as the driver counts: `GPU 0`.", "hw.*"),
    Attribute(HW_MODEL, "string", "Its model.", "hw.*"),
    Attribute(HW_TYPE, "string", "`gpu`.", "hw.power"),
    Attribute(USAGE_MEMORY_PEAK, "int", "Most memory (RSS, bytes) that the processes held at once.", _USED),
    Attribute(USAGE_MEMORY_LIMIT, "int", "Memory limit (bytes) of the cgroup, where it has one.", _USED),
    Attribute(USAGE_CPU_TIME, "double", "CPU time (seconds) of all processes, also of those that have ended.", _USED),
    Attribute(USAGE_CPU_PEAK, "double", "Most CPUs that were kept busy at once.", _USED),
    Attribute(USAGE_CPU_LIMIT, "double", "CPUs that the job may use: cgroup quota and affinity.", _USED),
    Attribute(USAGE_PROCESSES_PEAK, "int", "Most processes at once.", _USED),
    Attribute(USAGE_DISK_READ, "int", "Bytes read from disks.", _USED),
    Attribute(USAGE_DISK_WRITE, "int", "Bytes written to disks.", _USED),
    Attribute(USAGE_NETWORK_RECEIVE, "int", "Bytes that the job's network namespace received meanwhile.", _USED),
    Attribute(USAGE_NETWORK_TRANSMIT, "int", "Bytes that the job's network namespace sent meanwhile.", _USED),
    Attribute(USAGE_GPU_UTILIZATION_PEAK, "double", "Highest utilisation of a GPU of the job, 0 to 1.", _USED),
    Attribute(USAGE_GPU_MEMORY_PEAK, "int", "Most memory (bytes) in use on the job's GPUs together.", _USED),
    Attribute(USAGE_GPU_POWER_PEAK, "double", "Most power (watts) that the job's GPUs drew together.", _USED),
)

# --- values -----------------------------------------------------------------------------------------

RESULT_SUCCESS: Final = "success"
RESULT_FAILURE: Final = "failure"
RESULT_ERROR: Final = "error"
RESULT_TIMEOUT: Final = "timeout"
RESULT_CANCELLATION: Final = "cancellation"
RESULT_SKIP: Final = "skip"
ERROR_TYPE_KILLED: Final = "killed"
ERROR_TYPE_OOM: Final = "oom_killed"
PHASE_ROLLBACK: Final = "rollback"
PHASE_WORKER: Final = "worker"
PHASE_SUBMIT: Final = "submit"
AUDIENCE_DEVELOPER: Final = "developer"
MARKER_SUFFIX: Final = " (started)"
ROLLBACK_PREFIX: Final = "rollback "
WORKER_PREFIX: Final = "worker "
SUBMIT_PREFIX: Final = "submit "

# --- metrics ----------------------------------------------------------------------------------------

_JOB = (JOB_ID, ACTION, PLUGIN_NAME)

JOB_PROGRESS: Final = Metric("synapse.job.progress", "gauge", "1", "Share done, 0 to 1.", (*_JOB, CATEGORY))
JOB_PROGRESS_CURRENT: Final = Metric(
    "synapse.job.progress.current", "gauge", "{item}", "Items done.", (*_JOB, CATEGORY)
)
JOB_PROGRESS_LIMIT: Final = Metric(
    "synapse.job.progress.limit", "gauge", "{item}", "Items there are to do.", (*_JOB, CATEGORY)
)
JOB_PROGRESS_TIME: Final = Metric(
    "synapse.job.progress.time", "gauge", "s", "Unix time of the last change of the progress.", (*_JOB, CATEGORY)
)
JOB_ETA: Final = Metric(
    "synapse.job.eta", "gauge", "s", "Estimated time until the progress is complete.", (*_JOB, CATEGORY)
)
JOB_ITEMS: Final = Metric(
    "synapse.job.items", "counter", "{item}", "Items done, over all passes; never falls.", (*_JOB, CATEGORY)
)
JOB_METRIC: Final = Metric(
    "synapse.job.metric",
    "gauge",
    "",
    "A value that the plugin reported; every report is a point of its own.",
    (*_JOB, CATEGORY, METRIC_NAME),
)
JOB_METRIC_UPDATES: Final = Metric(
    "synapse.job.metric.updates", "counter", "{update}", "Values that the plugin reported.", (*_JOB, CATEGORY)
)
JOB_METRIC_NONFINITE: Final = Metric(
    "synapse.job.metric.nonfinite",
    "counter",
    "{value}",
    "Reported values that were NaN or infinite.",
    (*_JOB, CATEGORY),
)
JOB_METRIC_MERGED: Final = Metric(
    "synapse.job.metric.merged",
    "counter",
    "{value}",
    "Samples merged into a newer one because their series had more than one a millisecond.",
    (*_JOB,),
)
JOB_EVENTS: Final = Metric("synapse.job.events", "counter", "{event}", "Events by name.", (*_JOB, EVENT_NAME_LABEL))
JOB_MESSAGES: Final = Metric(
    "synapse.job.messages", "counter", "{message}", "Messages by context.", (*_JOB, MESSAGE_CONTEXT)
)
JOB_DURATION: Final = Metric(
    "synapse.job.duration", "histogram", "s", "Duration of jobs.", (ACTION, PLUGIN_NAME, JOB_RESULT)
)
JOB_ACTIVE: Final = Metric("synapse.job.active", "updowncounter", "{job}", "Jobs that run.", _JOB)
STEP_DURATION: Final = Metric(
    "synapse.step.duration", "histogram", "s", "Duration of steps.", (ACTION, PLUGIN_NAME, STEP_NAME, STEP_RESULT)
)
JOB_HEARTBEAT_TIME: Final = Metric(
    "synapse.job.heartbeat.time", "gauge", "s", "Unix time at which the job's process was last seen alive.", _JOB
)
JOB_ACTIVITY_TIME: Final = Metric(
    "synapse.job.activity.time", "gauge", "s", "Unix time of the last record or progress of a job that runs.", _JOB
)
JOB_CRASHES: Final = Metric(
    "synapse.job.crashes", "counter", "{job}", "Jobs whose process died without ending them.", (*_JOB, ERROR_TYPE)
)
STEP_ELAPSED: Final = Metric(
    "synapse.step.elapsed", "gauge", "s", "How long a step that runs has taken so far.", (*_JOB, STEP_NAME)
)

PLATFORM_LOG_LOST: Final = Metric(
    "synapse.platform.log.lost",
    "counter",
    "{record}",
    "Log entries that the Synapse SDK's own logger did not bring to the platform for sure.",
    (*_JOB, LOSS_REASON),
)
PLATFORM_LOG_WAITS: Final = Metric(
    "synapse.platform.log.waits",
    "counter",
    "{call}",
    "Calls that waited for room in the queue of the Synapse SDK's own logger.",
    _JOB,
)
PLATFORM_LOG_WAIT_TIME: Final = Metric(
    "synapse.platform.log.wait.time", "counter", "s", "How long they waited, together.", _JOB
)

METRICS: Final[tuple[Metric, ...]] = (
    JOB_PROGRESS,
    JOB_PROGRESS_CURRENT,
    JOB_PROGRESS_LIMIT,
    JOB_PROGRESS_TIME,
    JOB_ETA,
    JOB_ITEMS,
    JOB_METRIC,
    JOB_METRIC_UPDATES,
    JOB_METRIC_NONFINITE,
    JOB_METRIC_MERGED,
    JOB_EVENTS,
    JOB_MESSAGES,
    JOB_DURATION,
    JOB_ACTIVE,
    STEP_DURATION,
    STEP_ELAPSED,
    JOB_HEARTBEAT_TIME,
    JOB_ACTIVITY_TIME,
    JOB_CRASHES,
    PLATFORM_LOG_LOST,
    PLATFORM_LOG_WAITS,
    PLATFORM_LOG_WAIT_TIME,
)

# What the shipper says of itself: the names of OpenTelemetry's SDKs where there is one. No record of a journal.
_COMPONENT = (COMPONENT_TYPE, COMPONENT_NAME)

SDK_LOG_CREATED: Final = Metric(
    "otel.sdk.log.created", "counter", "{log_record}", "Log records that the run has recorded."
)
SDK_LOG_QUEUE: Final = Metric(
    "otel.sdk.processor.log.queue.size", "updowncounter", "{log_record}", "Log records in the journal.", _COMPONENT
)
SDK_SPAN_QUEUE: Final = Metric(
    "otel.sdk.processor.span.queue.size", "updowncounter", "{span}", "Ended spans in the journal.", _COMPONENT
)
_EXPORTED = "that were delivered; with `error.type`, that were dropped."
SDK_LOG_EXPORTED: Final = Metric(
    "otel.sdk.exporter.log.exported", "counter", "{log_record}", f"Log records {_EXPORTED}", (*_COMPONENT, ERROR_TYPE)
)
SDK_POINT_EXPORTED: Final = Metric(
    "otel.sdk.exporter.metric_data_point.exported",
    "counter",
    "{data_point}",
    f"Metric samples {_EXPORTED}",
    (*_COMPONENT, ERROR_TYPE),
)
SDK_SPAN_EXPORTED: Final = Metric(
    "otel.sdk.exporter.span.exported", "counter", "{span}", f"Spans {_EXPORTED}", (*_COMPONENT, ERROR_TYPE)
)
SDK_EXPORT_DURATION: Final = Metric(
    "otel.sdk.exporter.operation.duration",
    "histogram",
    "s",
    "Time from the first try of a request until it was accepted.",
    _COMPONENT,
)
SHIPPER_EMITTED: Final = Metric(
    "synapse.shipper.emitted", "counter", "{record}", "Records that the run has recorded.", (SIGNAL,)
)
SHIPPER_PENDING: Final = Metric(
    "synapse.shipper.pending", "updowncounter", "{record}", "Records that wait for delivery.", (SIGNAL,)
)
SHIPPER_WITHHELD: Final = Metric(
    "synapse.shipper.withheld",
    "counter",
    "{record}",
    "Start markers that were not sent: their steps had ended before they were due.",
    (SIGNAL,),
)
SHIPPER_RETRIES: Final = Metric(
    "synapse.shipper.retries", "counter", "{request}", "Requests that were not accepted.", (SIGNAL,)
)
SHIPPER_SENT: Final = Metric(
    "synapse.shipper.sent", "counter", "By", "Size of the requests that were accepted, before compression.", (SIGNAL,)
)
SHIPPER_QUEUE_AGE: Final = Metric(
    "synapse.shipper.queue.age", "gauge", "s", "Time that the oldest record has waited; 0 when none waits.", (SIGNAL,)
)

SELF_METRICS: Final[tuple[Metric, ...]] = (
    SDK_LOG_CREATED,
    SDK_LOG_QUEUE,
    SDK_SPAN_QUEUE,
    SDK_LOG_EXPORTED,
    SDK_POINT_EXPORTED,
    SDK_SPAN_EXPORTED,
    SDK_EXPORT_DURATION,
    SHIPPER_EMITTED,
    SHIPPER_PENDING,
    SHIPPER_WITHHELD,
    SHIPPER_RETRIES,
    SHIPPER_SENT,
    SHIPPER_QUEUE_AGE,
)

# What the job used: sampled by the shipper. OpenTelemetry's own names, of the job's process tree, its host, its GPUs.
_GPU = (*_JOB, HW_ID, HW_NAME, HW_MODEL)

PROCESS_CPU_TIME: Final = Metric(
    "process.cpu.time", "counter", "s", "CPU time of the job's processes.", (*_JOB, CPU_MODE)
)
PROCESS_CPU_UTILIZATION: Final = Metric(
    "process.cpu.utilization", "gauge", "1", "Share of the CPUs that the job may use which its processes used.", _JOB
)
PROCESS_MEMORY_USAGE: Final = Metric(
    "process.memory.usage", "updowncounter", "By", "Memory (RSS) of the job's processes together.", _JOB
)
PROCESS_DISK_IO: Final = Metric(
    "process.disk.io",
    "counter",
    "By",
    "Bytes that the job's processes moved from and to disks.",
    (*_JOB, DISK_DIRECTION),
)
JOB_PROCESSES: Final = Metric(
    "synapse.job.processes", "updowncounter", "{process}", "Processes of the job that live.", _JOB
)
JOB_CPU_LIMIT: Final = Metric(
    "synapse.job.cpu.limit", "updowncounter", "{cpu}", "CPUs that the job may use: cgroup quota and affinity.", _JOB
)
JOB_MEMORY_LIMIT: Final = Metric(
    "synapse.job.memory.limit", "updowncounter", "By", "Memory limit of the job's cgroup, where it has one.", _JOB
)
SYSTEM_NETWORK_IO: Final = Metric(
    "system.network.io",
    "counter",
    "By",
    "Bytes over the interfaces of the job's network namespace, loopback and virtual ones left out.",
    (*_JOB, NETWORK_DIRECTION),
)
SYSTEM_CPU_UTILIZATION: Final = Metric(
    "system.cpu.utilization", "gauge", "1", "Share of all CPUs of the host that was busy, for all processes.", _JOB
)
SYSTEM_MEMORY_USAGE: Final = Metric(
    "system.memory.usage", "updowncounter", "By", "Memory of the host that is in use.", (*_JOB, MEMORY_STATE)
)
SYSTEM_MEMORY_LIMIT: Final = Metric("system.memory.limit", "updowncounter", "By", "Memory that the host has.", _JOB)
HW_GPU_UTILIZATION: Final = Metric(
    "hw.gpu.utilization", "gauge", "1", "Share of the time in which the GPU was at work.", _GPU
)
HW_GPU_MEMORY_USAGE: Final = Metric("hw.gpu.memory.usage", "updowncounter", "By", "Memory of the GPU in use.", _GPU)
HW_GPU_MEMORY_LIMIT: Final = Metric("hw.gpu.memory.limit", "updowncounter", "By", "Memory that the GPU has.", _GPU)
HW_GPU_MEMORY_UTILIZATION: Final = Metric(
    "hw.gpu.memory.utilization", "gauge", "1", "Share of the GPU's memory in use.", _GPU
)
HW_POWER: Final = Metric("hw.power", "gauge", "W", "Power that the GPU draws.", (*_GPU, HW_TYPE))

USAGE_METRICS: Final[tuple[Metric, ...]] = (
    PROCESS_CPU_TIME,
    PROCESS_CPU_UTILIZATION,
    PROCESS_MEMORY_USAGE,
    PROCESS_DISK_IO,
    JOB_PROCESSES,
    JOB_CPU_LIMIT,
    JOB_MEMORY_LIMIT,
    SYSTEM_NETWORK_IO,
    SYSTEM_CPU_UTILIZATION,
    SYSTEM_MEMORY_USAGE,
    SYSTEM_MEMORY_LIMIT,
    HW_GPU_UTILIZATION,
    HW_GPU_MEMORY_USAGE,
    HW_GPU_MEMORY_LIMIT,
    HW_GPU_MEMORY_UTILIZATION,
    HW_POWER,
)

VERIFY_RECORDS: Final = Metric(
    "synapse.verify.records",
    "gauge",
    "{record}",
    "Records of the verified runs, by what became of them.",
    (SIGNAL, OUTCOME),
)
VERIFY_RUNS: Final = Metric(
    "synapse.verify.runs", "gauge", "{run}", "Verified runs, by whether the backends hold all of them.", (OUTCOME,)
)
VERIFY_TIME: Final = Metric("synapse.verify.time", "gauge", "s", "Unix time at which `verify` wrote its result.")

VERIFY_METRICS: Final[tuple[Metric, ...]] = (VERIFY_RECORDS, VERIFY_RUNS, VERIFY_TIME)
"""In the file that `synapse-otel verify --textfile` writes."""

EXPORT_BUCKETS: Final[tuple[float, ...]] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
"""Bounds in seconds of the duration of an export: from a healthy server on the machine to an outage of an hour."""

DURATION_BUCKETS: Final[tuple[float, ...]] = (
    0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400,
)  # fmt: skip
"""Bounds in seconds of the duration histograms: a step of 100 ms to a job of a day."""

# --- events -----------------------------------------------------------------------------------------

EVENT_JOB_STARTED: Final = "synapse.job.started"
EVENT_JOB_FINISHED: Final = "synapse.job.finished"
EVENT_MESSAGE: Final = "synapse.message"
EVENT_DEVELOPER: Final = "synapse.dev_event"
EVENT_METRIC_NONFINITE: Final = "synapse.metric.nonfinite"
EVENT_METRIC_TEXT: Final = "synapse.metric.text"
EVENT_VISUALIZATION: Final = "visualization"
"""Name of the event of `log_visualization`, one of the plugin's own as others are."""
EVENT_EXCEPTION: Final = "exception"
EVENT_WORKER_KILLED: Final = "synapse.worker.killed"
PROBE: Final = "synapse.doctor.probe"
"""What `synapse-otel doctor` sends: the name of its log record's event, of its gauge and of its span."""
OTHER: Final = "_other"
"""Stands for every further name where the number of names is bounded."""

EVENTS: Final[tuple[Event, ...]] = (
    Event(EVENT_JOB_STARTED, "INFO", "The job has begun."),
    Event(EVENT_JOB_FINISHED, "INFO, or ERROR", "The job has ended; the result says how."),
    Event(EVENT_MESSAGE, "by context", "`log_message`: a message for the user."),
    Event(EVENT_DEVELOPER, "DEBUG", "`log_dev_event`: for the plugin's developers."),
    Event(EVENT_METRIC_NONFINITE, "WARN", "A reported value was NaN or infinite."),
    Event(EVENT_METRIC_TEXT, "INFO", "A reported value was text."),
    Event(EVENT_EXCEPTION, "ERROR", "An exception left a job or step."),
    Event(EVENT_WORKER_KILLED, "no log record", "A worker was killed in the middle of a task; on its span, in Ray."),
    Event(PROBE, "INFO", "`synapse-otel doctor` has tried the way; a gauge and a span have the same name."),
    Event("<name>", "INFO, or as said", "`log`: the plugin's own event name."),
)
