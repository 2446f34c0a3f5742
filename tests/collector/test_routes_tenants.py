"""No record of one tenant is ever at another's sink, whatever resources say and however requests mix them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.collector.routing_cases import attributes, received, requests
from tests.collector.routing_tiers import Tiers, running_tiers
from tests.stack import otlp

pytestmark = [pytest.mark.stack, pytest.mark.once]

TENANTS = ("acme", "globex")
DEFAULT = ("victorialogs", "prometheus", "jaeger")
OFF = dict.fromkeys((f"COLLECTOR_{sink}_ENDPOINT" for sink in ("ALERTS", "END_USERS", "TRAINING", "ANNOTATION")), "off")
TENANT = "synapse.tenant"

_numbers = itertools.count()

near = st.sampled_from(TENANTS).flatmap(
    lambda name: st.sampled_from(
        [name.upper(), name.title(), f" {name}", f"{name} ", f"{name}\0", f"{name}\n", name[:-1], f"{name}{name}",
         f'{name}" or true', f'" or resource.attributes["{TENANT}"] == "{name}', f"${{env:{name}}}", f"%{name}%",
         [name], {name: name}, {TENANT: name}]
    )
)  # fmt: skip
values = st.one_of(
    st.sampled_from(TENANTS), near, st.text(max_size=20), st.booleans(), st.integers(-9, 9), st.floats(), st.just("")
)


@dataclass(frozen=True)
class Told:
    """What one resource says of its tenant, in the order of its attributes; what its records say of it themselves."""

    resource: list[tuple[str, Any]]
    record: dict[str, Any]

    @property
    def owner(self) -> str | None:
        """The tenant whose it is: that of the resource's first word on it, if it is exactly a known one."""
        first = next((value for key, value in self.resource if key == TENANT), None)
        return first if isinstance(first, str) and first in TENANTS else None


told = st.builds(
    Told,
    resource=st.lists(
        st.tuples(
            st.sampled_from([TENANT, TENANT, "synapse.tenant.id", "tenant", "Synapse.Tenant", "synapse.project"]),
            values,
        ),
        max_size=4,
    ),
    record=st.dictionaries(st.sampled_from([TENANT, "tenant"]), values, max_size=1),
)


@pytest.fixture(scope="module")
def tiers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiers]:
    with running_tiers(tmp_path_factory.mktemp("tiers"), OFF) as running:
        yield running


GENERATED = (Phase.explicit, Phase.generate)
"""Not made smaller: a request and its deliveries take 0.3 s."""


@settings(max_examples=20, deadline=None, phases=GENERATED, suppress_health_check=list(HealthCheck))
@given(batch=st.lists(told, min_size=20, max_size=60))
def test_no_record_of_a_tenant_is_at_anothers_sink(tiers: Tiers, batch: list[Told]) -> None:
    owners: dict[str, str | None] = {}
    mixed: dict[type, Any] = {}
    for each in batch:
        resource = Resource()
        for key, value in each.resource:  # one by one: a key may be there twice
            resource.attributes.extend(attributes({key: value}))
        uid = str(next(_numbers))
        owners[uid] = each.owner
        marks = {"attributes": {**each.record, "uid": uid}}
        part = {
            "logs": [{"body": uid, **marks}],
            "spans": [{"name": uid, **marks}],
            "metrics": [{"name": uid, **marks}],
        }
        for request in requests(resource, part):  # all resources of a signal in one request
            mixed.setdefault(type(request), type(request)()).MergeFrom(request)
    for request in mixed.values():
        otlp.send(tiers.stack.gateway_otlp_http, request)
    tiers.settle()

    arrived = {name: [record.attributes["uid"] for record in received(sink)] for name, sink in tiers.sinks.items()}
    for sink in tiers.sinks.values():
        sink.requests.clear()
    for tenant in TENANTS:
        own = sorted(uid for uid, owner in owners.items() if owner == tenant)
        assert sorted(arrived[tenant]) == sorted(own * 3), tenant
    nobodys = sorted(uid for uid, owner in owners.items() if owner is None)
    for name in DEFAULT:
        assert sorted(arrived[name]) == nobodys, name
    assert sum(map(len, arrived.values())) == 3 * len(batch)
