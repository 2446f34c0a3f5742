"""The way of the data is the way of the imports: from plugin to backend, none backwards, and no cycles."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from synapse_otel import semconv
from tests.mapping.recorded import run
from tests.mapping.scenarios import SCENARIOS

pytestmark = pytest.mark.once

PACKAGE = Path(semconv.__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

LEAVES = {
    "_card",
    "_compiled",
    "_fork",
    "_guard",
    "_otel_private",
    "_text",
    "_version",
    "notices",
    "redaction",
    "semconv",
}
"""May be imported from everywhere, and import only one another."""

ALLOWED: dict[str, set[str]] = {
    "settings": {"otlp.destination"},
    "journal": set(),
    "mapping": {"journal.memory.slots", "journal.state_block"},
    "plugins": {"mapping"},
    "loggers": {"plugins"},
    "sdk": {"journal"},
    "otlp": {"journal.frames"},
    "shipper": {"journal", "otlp"},
    "runtime": {"journal", "loggers", "mapping", "otlp.destination", "plugins", "sdk", "settings", "shipper"},
    "integrations": {"mapping", "plugins", "runtime", "settings"},
    "runs": {"journal"},
    "read": {"journal", "runs", "settings", "ui.formats"},
    "export": {"journal", "otlp", "runs", "shipper"},
    "ui": {"runs"},
    "doctor": {"journal", "otlp", "runs", "settings", "shipper"},
    "verify": {"journal", "otlp", "settings", "shipper"},
    "cli": {
        "doctor",
        "export",
        "journal",
        "otlp.destination",
        "runs",
        "runtime",
        "settings",
        "shipper",
        "ui",
        "verify",
    },
    "testing": {"integrations", "journal", "loggers", "mapping", "plugins", "runs", "runtime", "sdk", "settings"},
    "__main__": {"cli"},
    "": {"plugins", "runtime", "settings"},
}
"""By room: the rooms, or the only modules of a room, that it may import. The package's root is the empty name."""


def imported(tree: ast.Module, path: Path) -> Iterator[str]:
    """Yield what a file imports, inside of functions and for types alone too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute here"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


TREES = {module: ast.parse(path.read_text()) for module, path in MODULES.items()}
GRAPH = {module: frozenset(imported(tree, MODULES[module])) for module, tree in TREES.items()}
"""By module: what it imports."""


def room(module: str) -> str:
    """Return the room of a module: the first name below the package."""
    return module.removeprefix("synapse_otel").removeprefix(".").partition(".")[0]


def ours(module: str) -> bool:
    return module.partition(".")[0] == "synapse_otel"


def may_import(module: str, found: str) -> bool:
    own, allowed = room(module), ALLOWED.get(room(module), set()) | LEAVES
    return not ours(found) or room(found) == own or bool({room(found), found.removeprefix("synapse_otel.")} & allowed)


def test_every_room_says_what_it_may_import():
    assert {room(module) for module in MODULES} == set(ALLOWED) | LEAVES


def test_imports_go_one_way():
    assert [(module, found) for module in MODULES for found in GRAPH[module] if not may_import(module, found)] == []


def test_what_may_be_imported_is_imported():
    used = {(room(module), f"{found}.") for module in MODULES for found in GRAPH[module]}
    allowed = [(own, f"synapse_otel.{name}.") for own, names in ALLOWED.items() for name in names]
    assert [(own, name) for own, name in allowed if not any(own == by and it.startswith(name) for by, it in used)] == []


def test_there_are_no_import_cycles():
    """Not among modules, what only a type checker sees included; a package's own `__init__` is no module of it."""
    graph = {module: {found for found in GRAPH[module] if found in MODULES and found != module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(error.args[1]))


def test_the_rooms_have_no_cycle():
    graph = {name: {entry for entry in allowed if "." not in entry} for name, allowed in ALLOWED.items()}
    TopologicalSorter(graph).prepare()


FILES_IN_A_FOLDER = 16
LINES_OF_A_CLASS = 284


def test_no_folder_holds_too_many_files():
    folders = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    assert {folder.name: count for folder, count in folders.items() if count > FILES_IN_A_FOLDER} == {}


def test_no_class_is_too_long():
    classes = [
        (module, node) for module, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    lengths = {f"{module}.{node.name}": (node.end_lineno or 0) - node.lineno for module, node in classes}
    assert {name: length for name, length in lengths.items() if length > LINES_OF_A_CLASS} == {}


HOMES = {
    "opentelemetry.sdk": {"sdk"},
    "opentelemetry.exporter": {"sdk"},
    "opentelemetry.proto": {"otlp", "export", "verify"},
    "urllib3": {"otlp", "verify"},
    "socket": {"cli"},
    "http": {"otlp", "shipper", "ui"},
    "ssl": {"otlp"},
    "mmap": {"journal"},
    "fcntl": {"journal", "plugins"},
    "psutil": {"shipper"},
    "pynvml": {"shipper"},
    "subprocess": {"cli", "shipper", "sdk"},
    "pydantic": {"settings"},
    "pydantic_settings": {"settings"},
    "typer": {"cli"},
    "textual": {"ui"},
    "pyarrow": {"export"},
    "numpy": {"read"},
    "pandas": {"read"},
    "polars": {"read"},
    "starlette": {"ui"},
    "uvicorn": {"cli"},
    "pytest": {"testing"},
}
"""By library: the rooms that use it."""


def test_a_library_is_used_in_its_rooms_alone():
    def users(library: str) -> set[str]:
        used = (module for module in MODULES for found in GRAPH[module] if f"{found}.".startswith(f"{library}."))
        return {room(module) for module in used}

    assert {library: users(library) for library in HOMES if not users(library) <= HOMES[library]} == {}


def catches_all(module: str) -> list[ast.ExceptHandler]:
    """Return the handlers of a module that catch whatever is raised."""
    handlers = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.ExceptHandler)]
    return [one for one in handlers if one.type is None or ast.unparse(one.type) in {"Exception", "BaseException"}]


def test_nobody_imports_by_name_what_it_must_not():
    """`import_module` is for our own lazily loaded names, and for clocks."""
    callers = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"import_module", "importlib.import_module", "__import__"}
    }
    lazy = {"synapse_otel", "synapse_otel.testing", "synapse_otel.testing.fixed"}
    protobuf_on_demand = {"synapse_otel.otlp.http_responses", "synapse_otel.cli.app"}
    hooks = {"synapse_otel.integrations.activation", "synapse_otel.integrations.synapse_sdk.instrumentor"}
    where_it_is_installed = {"synapse_otel._compiled"}
    assert callers <= lazy | protobuf_on_demand | hooks | where_it_is_installed


def test_one_hook_is_called_at_a_fork():
    users = [module for module, tree in TREES.items() if "register_at_fork" in ast.unparse(tree)]
    assert users == ["synapse_otel._fork"]


def test_only_the_journal_names_its_files():
    """Whoever reads or writes a journal asks the room `journal` for the paths and the reader."""
    named = re.compile(r"\.segment\b|alive\.lock|ship\.lock|cursor-|run\.json|quarantine\.jsonl")
    others = [module for module in MODULES if room(module) != "journal"]
    assert [(module, text) for module in others for text in strings(module) if named.search(text)] == []


def strings(module: str) -> Iterator[str]:
    """Yield the texts in a module's code, but for its docstrings."""
    tree = TREES[module]
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


# --- names -----------------------------------------------------------------------------------------------


IN_THE_JOB = {
    *("journal", "mapping", "plugins", "loggers", "sdk", "runtime", "integrations"),
}
"""Rooms whose code runs in a job's own calls, where the handler of a signal may raise anything at any moment."""
NOT_OURS = {
    "synapse_otel.integrations.start_up",  # these two run while Python starts and imports
    "synapse_otel.integrations.activation",
    "synapse_otel.plugins.steps.orchestrator",  # what is caught is what a step of the plugin's raises
}
LETTING_THROUGH = {"let_through", "contain", "report", "_contain"}


def lets_through(handler: ast.ExceptHandler) -> bool:
    nodes = list(ast.walk(handler))
    called = {ast.unparse(node.func).rpartition(".")[2] for node in nodes if isinstance(node, ast.Call)}
    return bool(called & LETTING_THROUGH) or any(isinstance(node, ast.Raise) and node.exc is None for node in nodes)


def test_whoever_catches_all_lets_through_what_a_signals_handler_raises():
    modules = [module for module in MODULES if room(module) in IN_THE_JOB and module not in NOT_OURS]
    handlers = [(module, handler) for module in modules for handler in catches_all(module)]
    assert len(handlers) > 10
    assert [(module, handler.lineno) for module, handler in handlers if not lets_through(handler)] == []


FRAMES = {"tb_frame", "f_back", "f_locals", "f_globals", "_getframe", "currentframe", "stack"}


def test_nothing_looks_into_frames():
    found = [
        (module, node.attr)
        for module in MODULES
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute) and node.attr in FRAMES
    ]
    assert found == []


def test_settings_only_read_the_environment():
    def writes(node: ast.AST) -> bool:
        if isinstance(node, ast.Subscript):
            return not isinstance(node.ctx, ast.Load) and ast.unparse(node.value) == "os.environ"
        changing = {"pop", "setdefault", "update", "clear", "putenv"}
        return isinstance(node, ast.Attribute) and node.attr in changing and ast.unparse(node.value).startswith("os")

    settings = (module for module in MODULES if room(module) == "settings")
    assert [module for module in settings if any(map(writes, ast.walk(TREES[module])))] == []


def test_names_of_telemetry_stand_in_semconv_only():
    others = [module for module in MODULES if module != "synapse_otel.semconv"]
    assert [(module, text) for module in others for text in strings(module) if text.startswith("synapse.")] == []


@pytest.fixture(scope="module")
def sent():
    """All that is sent of all scenarios."""
    return {name: run(name) for name in SCENARIOS}


def spans_of(found):
    todo = list(found["spans"])
    while todo:
        span = todo.pop()
        todo += span.get("children", [])
        yield span


DEFINED = {attribute.key for attribute in semconv.ATTRIBUTES}
PREFIXES = tuple(key.removesuffix("*") for key in DEFINED if key.endswith("*") and key != f"{semconv.PRODUCT_PREFIX}*")
PRODUCTS = {"total_count", "exported_count", "output_path"}
"""What the scenarios produce: the names of fields of step contexts stand below `semconv.PRODUCT_PREFIX`."""


def is_defined(key: str) -> bool:
    return key in DEFINED or key.startswith(PREFIXES) or key.removeprefix(semconv.PRODUCT_PREFIX) in PRODUCTS


def test_every_attribute_that_is_sent_is_defined(sent):
    keys = set()
    for found in sent.values():
        for span in spans_of(found):
            keys |= set(span["attributes"])
            keys |= {key for _time, _name, attributes in span["events"] for key in attributes}
            keys |= {key for _span, attributes in span["links"] for key in attributes}
        for log in found["logs"]:
            keys |= set(log["attributes"])
    assert {key for key in keys if not is_defined(key)} == set()
    assert {key for key in keys if key in DEFINED} >= {semconv.JOB_ID, semconv.STEP_ERROR, semconv.MESSAGE_CODE}


def test_every_event_that_is_sent_is_defined(sent):
    own = {event.name for event in semconv.EVENTS}
    plugins = {"saved", "checkpoint", "missing", "odd", "visualization", "login"}
    found = {log["event"] for sending in sent.values() for log in sending["logs"]}
    assert found - plugins <= own
    elsewhere = {"<name>", semconv.PROBE, semconv.EVENT_WORKER_KILLED}
    assert own - found == elsewhere, "a scenario is missing, or an event is never sent"


def test_every_metric_that_is_sent_is_as_it_is_defined(sent):
    kinds = {"gauge": "gauge", "counter": "sum", "updowncounter": "sum", "histogram": "histogram"}
    defined = {metric.name: metric for metric in semconv.METRICS}
    seen = set()
    for sending in sent.values():
        for name, found in sending["metrics"].items():
            seen.add(name)
            metric = defined[name]
            assert (found["kind"], found["unit"]) == (kinds[metric.instrument], metric.unit), name
            for point in found["points"]:
                assert set(point["attributes"]) <= set(metric.attributes), name
    shippers = (
        semconv.JOB_METRIC_MERGED,
        semconv.JOB_HEARTBEAT_TIME,
        semconv.JOB_ACTIVITY_TIME,
        semconv.JOB_CRASHES,
        semconv.STEP_ELAPSED,
    )
    real_sdks = (semconv.PLATFORM_LOG_LOST, semconv.PLATFORM_LOG_WAITS, semconv.PLATFORM_LOG_WAIT_TIME)
    never = {metric.name for metric in (*shippers, *real_sdks)}
    assert set(defined) - seen == never, "a scenario is missing, or a metric is never sent"


EVERY_METRIC = (*semconv.METRICS, *semconv.SELF_METRICS, *semconv.USAGE_METRICS, *semconv.VERIFY_METRICS)


def test_names_of_metrics_survive_in_prometheus():
    for metric in EVERY_METRIC:
        assert re.fullmatch(r"(synapse|otel\.sdk|process|system|hw)\.[a-z._]+[a-z]", metric.name)
        assert not metric.name.endswith("total")
        assert metric.description.endswith(".")
        assert "job" not in metric.attributes


def test_every_name_is_defined_once():
    for names in (semconv.ATTRIBUTES, EVERY_METRIC, semconv.EVENTS):
        keys = [entry[0] for entry in names]
        assert len(keys) == len(set(keys))
    constants = {value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}
    described = DEFINED | {event.name for event in semconv.EVENTS} | {f"{name}*" for name in constants}
    unlisted = {name for name in constants if name.startswith("synapse.")} - described
    assert {name for name in unlisted if f"{name}*" not in DEFINED} == set()
