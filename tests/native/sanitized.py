"""A plugin of pytest: the compiled module is the one that NATIVE_MODULE names, such as one with a sanitizer."""

from __future__ import annotations

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location

from hypothesis import HealthCheck, settings

NAME = "synapse_otel._native"

settings.register_profile("slow", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slow")
spec = spec_from_file_location(NAME, os.environ["NATIVE_MODULE"])
assert spec is not None
assert spec.loader is not None
module = module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules[NAME] = module
