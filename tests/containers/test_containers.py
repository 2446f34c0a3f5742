"""docker-compose.yml and docker-compose.sidecar.yml as they are, run by a Docker engine of our own.

One file, so that one engine serves all tests: they share its containers, in this order.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import sidecar
from tests.containers.load import PATIENCE, RATE, arrives, is_delivered, load, lost, times_of_missing_records
from tests.containers.machine import leave_out
from tests.docs.examples import TREE, blocks_of
from tools.containers.engine import Engine
from tools.containers.errors import CommandError, NoEngineError
from tools.containers.first_record import seconds_to_first_record
from tools.containers.images import build_options, make_images
from tools.containers.project import Project, State
from tools.stack.fetch import answers_ok
from tools.stack.polling import eventually

pytestmark = [pytest.mark.stack, pytest.mark.once]

PAGE = TREE / "docs" / "containers.md"
SMALL_QUEUE = Path("tests/containers/small-queue.yml")
TIER_USER = "10001"
ARBITRARY_USER = "23456"
"""No system knows it."""
LOG_STORE_SECONDS = 5
"""What docs/what-is-lost.md allows a killed log store to lose."""
TIERS = ["agent", "gateway", "agent-health", "gateway-health"]
BACKENDS = ["jaeger", "prometheus", "victorialogs"]
VOLUMES = {
    "agent": {"/var/lib/otelcol"},
    "gateway": {"/var/lib/otelcol"},
    "agent-health": {"/prometheus"},
    "gateway-health": {"/prometheus"},
    "jaeger": set(),
    "prometheus": {"/prometheus"},
    "victorialogs": {"/victoria-logs-data"},
}
"""What each container can write to."""
OF_DOCKER = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"}
"""Files that Docker mounts into each container; they belong to root."""
PSEUDO = {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "tmpfs"}
"""File systems that hold no data of a container."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    running = Engine()
    try:
        running.start()
    except NoEngineError as error:
        running.kill()
        leave_out(error)
    try:
        make_images(running, tmp_path_factory.mktemp("build"))
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def from_nothing(engine: Engine) -> Iterator[tuple[Project, float]]:
    """The running project, and how many seconds it took to find the first record in it."""
    made = Project(engine)
    try:
        _, seconds = seconds_to_first_record(made)
        yield made, seconds
    finally:
        made.ports.close()


@pytest.fixture
def project(from_nothing: tuple[Project, float]) -> Project:
    return from_nothing[0]


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    return tmp_path / "journals"


def is_back(project: Project, service: str, before: State) -> bool:
    now = project.state(service)
    return now.running and now.pid != before.pid and now.restarts > before.restarts


def status_of(project: Project, service: str) -> dict[str, str]:
    """Return what the kernel says of the user and the rights of a service's first process."""
    lines = project.process_file(service, "status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def assert_no_privileges(status: dict[str, str]) -> None:
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"


# --- the stack -----------------------------------------------------------------------------------------


def test_the_first_record_is_found_within_a_minute_from_nothing(from_nothing):
    assert from_nothing[1] < 60


def test_every_record_of_a_job_outside_arrives(project, journals):
    with load(project, journals) as work:
        time.sleep(1)
        made = work.finish()
    assert made["records"] > RATE / 2
    arrives(project, work, made)


@pytest.mark.parametrize("service", TIERS)
def test_a_tier_runs_as_its_user_without_privileges(project, service):
    status = status_of(project, service)
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {TIER_USER}
    assert_no_privileges(status)


@pytest.mark.parametrize("service", BACKENDS)
def test_a_backend_runs_without_privileges(project, service):
    assert_no_privileges(status_of(project, service))


@pytest.mark.parametrize("service", [*TIERS, *BACKENDS])
def test_only_volumes_can_be_written(project, service):
    with pytest.raises(CommandError, match="Read-only file system"):
        project.engine.inside("touch", f"/proc/{project.state(service).pid}/root/written")
    mounts = [line.split(" - ") for line in project.process_file(service, "mountinfo").splitlines()]
    on_disk = [place.split() for place, kind in mounts if kind.split()[0] not in PSEUDO]
    assert {fields[4] for fields in on_disk if "rw" in fields[5].split(",")} - OF_DOCKER == VOLUMES[service]


def test_no_record_is_lost_when_containers_are_killed_under_load(project, journals):
    with load(project, journals) as work:
        for service in ("agent", "gateway", "jaeger", "prometheus", "agent-health", "gateway-health"):
            before = project.kill(service)
            eventually(lambda service=service, before=before: is_back(project, service, before), timeout=60)
        made = work.finish()
    arrives(project, work, made)


def test_a_killed_log_store_loses_only_records_of_the_last_seconds(project, journals):
    with load(project, journals) as work:
        time.sleep(2)
        killed = time.time()
        before = project.kill("victorialogs")
        eventually(lambda: is_back(project, "victorialogs", before), timeout=60)
        made = work.finish()

    def all_others_have_arrived() -> bool:
        assert set(lost(project, work, made)) <= {"log records"}
        missing = times_of_missing_records(project, work, made)
        return all(killed - 2 * LOG_STORE_SECONDS < moment < killed + 1 for moment in missing)

    eventually(all_others_have_arrived, timeout=PATIENCE, every=0.5)


def test_no_record_is_lost_when_everything_is_restarted_under_load(project, journals):
    with load(project, journals) as work:
        project.compose("restart")
        project.compose("up", "--wait")  # Prometheus answers 503 until it has read its log
        made = work.finish()
    arrives(project, work, made)


def test_down_and_up_on_other_ports_keeps_what_is_in_the_volumes(project, tmp_path):
    """One job has arrived, one's log records are in the gateway's queue, one records all the time."""
    with load(project, tmp_path / "stored") as stored:
        made_stored = stored.finish()
    arrives(project, stored, made_stored)
    project.compose("stop", "victorialogs")
    with load(project, tmp_path / "queued") as queued:
        made_queued = queued.finish()
    eventually(lambda: is_delivered(tmp_path / "queued", queued), timeout=PATIENCE)
    moved = ["jaeger", "prometheus", "victorialogs"]
    with load(project, tmp_path / "under-way") as under_way:
        project.compose("down")
        former = {name: project.url(name) for name in moved}
        project.move(moved)
        project.compose("up", "--wait")
        made_under_way = under_way.finish()
    arrives(project, under_way, made_under_way)
    eventually(lambda: set(lost(project, queued, made_queued)) <= {"spans"}, timeout=PATIENCE, every=0.5)
    assert set(lost(project, stored, made_stored)) == {"spans"}  # which Jaeger had in memory
    assert not any(answers_ok(address) for address in former.values())


def test_a_full_queue_on_a_larger_volume_loses_no_record(project, journals):
    small = project.extended(SMALL_QUEUE, COLLECTOR_QUEUE_BYTES=str(2 << 20))
    small.compose("up", "--wait")
    small.compose("stop", "gateway")
    with load(small, journals, rate=8 * RATE) as work:
        eventually(lambda: "sending queue is full" in small.compose("logs", "agent"), timeout=60, every=0.2)
        made = work.finish()
    small.compose("start", "gateway")
    arrives(small, work, made)


def test_a_full_volume_loses_no_record_if_the_tiers_keep_none(project, journals):
    """With queues on a full disk the Collector drops what it has accepted: docs/what-is-lost.md."""
    small = project.extended(SMALL_QUEUE, COLLECTOR_AGENT_QUEUE="through", COLLECTOR_GATEWAY_QUEUE="through")
    small.compose("up", "--wait")
    volume = f"/proc/{small.state('agent').pid}/root/var/lib/otelcol"
    with pytest.raises(CommandError, match="No space left on device"):
        small.engine.inside("dd", "if=/dev/zero", f"of={volume}/ballast", "bs=64k")
    with load(small, journals) as work:
        small.compose("restart", "gateway")
        made = work.finish()
    arrives(small, work, made)


# --- a job and its sidecar -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beside(from_nothing: tuple[Project, float]) -> Project:
    """The same project with the sidecar, which runs as an arbitrary user, with a small folder in memory."""
    small = {"SIDECAR_SIZE": "32m", "SIDECAR_BUDGET": "16MiB"}
    made = from_nothing[0].extended(sidecar.FILE, SIDECAR_USER=ARBITRARY_USER, **small)
    made.compose("up", "--wait")
    return made


def test_the_sidecar_runs_as_an_arbitrary_user_without_privileges(beside):
    status = status_of(beside, "ship")
    assert set(status["Uid"].split()) == {ARBITRARY_USER}
    assert_no_privileges(status)
    with pytest.raises(CommandError, match="Read-only file system"):
        beside.compose("exec", "-T", "ship", "touch", "/tmp/written")


def test_the_sidecar_delivers_a_job_in_another_container(beside):
    job = sidecar.start_job(beside, items=100, rate=100)
    assert job.wait() == 0
    eventually(lambda: job.items_arrived() == set(range(100)), timeout=PATIENCE)
    [end] = eventually(lambda: job.arrived("synapse.job.finished"), timeout=PATIENCE)
    assert end.fields["synapse.job.result"] == "success"


def test_a_killed_job_loses_no_record(beside):
    job = sidecar.start_job(beside, items=100_000, rate=200)
    job.records(200)
    job.kill()
    eventually(lambda: job.items_arrived() >= set(range(job.printed())), timeout=PATIENCE)
    [end] = eventually(lambda: job.arrived("synapse.job.finished"), timeout=PATIENCE)
    assert end.fields["synapse.job.result"] == "error"


def test_a_killed_sidecar_is_started_again_and_delivers_the_rest(beside):
    job = sidecar.start_job(beside, items=600, rate=200)
    job.records(100)
    before = beside.kill("ship")
    assert job.wait() == 0
    eventually(lambda: is_back(beside, "ship", before), timeout=60)
    eventually(lambda: job.items_arrived() == set(range(600)), timeout=PATIENCE)


def test_a_small_folder_in_memory_drops_older_records_and_counts_them(beside):
    """The budget is smaller than the folder, so the folder never becomes full."""
    items = 30_000
    beside.compose("stop", "agent")
    job = sidecar.start_job(beside, items=items, rate=1_000_000, text_bytes=1000)
    assert job.wait() == 0
    beside.compose("start", "agent")
    eventually(lambda: sidecar.account(beside, job)["pending"] == 0, timeout=PATIENCE, every=1)
    account = sidecar.account(beside, job)
    assert account["dropped"] > 0
    assert account["emitted"] == account["delivered"] + account["dropped"]
    eventually(lambda: len(job.items_arrived()) >= items - account["dropped"], timeout=PATIENCE, every=0.5)
    assert job.items_arrived() >= set(range(items - 5000, items))


# --- the page ------------------------------------------------------------------------------------------


def test_every_command_of_the_page_works(project, tmp_path):
    """In their order, on other ports, without Grafana, and with the options that a build needs in this network."""
    script = "\n".join(block.text for block in blocks_of(PAGE.read_text(encoding="utf-8")) if block.language == "bash")
    script = script.replace("localhost:4318", project.url("otlp_http").removeprefix("http://"))
    script = re.sub(r"(STACK_\w+_PORT)=\d+", lambda moved: f"{moved[1]}={project.ports[moved[1]]}", script)
    script = script.replace("COMPOSE_FILE=docker-compose.yml", f"COMPOSE_FILE={project.environment['COMPOSE_FILE']}")
    script = script.replace("docker build", shlex.join(["docker", "build", *build_options(tmp_path)]))
    journals = {"SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / "journals")}
    environment = {**project.environment, **journals, "SIDECAR_USER": ARBITRARY_USER}
    printed = project.engine.shell(f"PATH={Path(sys.executable).parent}:$PATH\n{script}", environment)
    assert "success" in printed.splitlines()[-1]


# --- the engine ----------------------------------------------------------------------------------------


def test_the_next_engine_removes_what_a_killed_one_left(engine):
    killed = Engine()  # a second one, beside that of all other tests
    killed.start()
    killed.docker("network", "create", "left")
    init = killed.init
    assert bridges(killed)
    killed.kill()
    eventually(lambda: not Path(f"/proc/{init}").exists())
    with Engine() as following:
        assert following.number == killed.number
        assert bridges(following) == []
        assert "left" not in following.docker("network", "ls")


def bridges(engine: Engine) -> list[str]:
    """Return the bridges on this machine with an address of an engine's networks."""
    addresses = engine.inside("ip", "-brief", "-4", "address", "show", "type", "bridge").splitlines()
    return [line for line in addresses if f" 198.18.{engine.number}." in line]
