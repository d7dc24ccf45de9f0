from pathlib import Path

import pytest

from agent.detector.providers import Provider, builds_engines, wanted_providers
from agent.errors import ConfigurationError
from tests.detector.planted_models import bundled

HERE = [
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "AzureExecutionProvider",
    "CPUExecutionProvider",
]
ENGINES = Path("/var/lib/capture-agent/engines")


def test_what_is_there_is_taken_but_for_what_costs_minutes_or_a_network() -> None:
    found = [each.name for each in wanted_providers(["auto"], HERE, engines=None)]

    assert found == [
        "CUDAExecutionProvider",
        "OpenVINOExecutionProvider",
        "CPUExecutionProvider",
    ]


def test_options_are_passed_on_as_they_are() -> None:
    found = wanted_providers(["cuda:device_id=1:gpu_mem_limit=9", "CPU"], HERE, engines=None)

    assert found == [
        Provider("CUDAExecutionProvider", {"device_id": "1", "gpu_mem_limit": "9"}),
        Provider("CPUExecutionProvider"),
    ]


def test_what_takes_minutes_to_build_is_kept_where_the_operator_did_not_say_otherwise() -> None:
    names = ["tensorrt:trt_engine_cache_path=/mine", "OpenVINOExecutionProvider", "cpu"]

    tensorrt, openvino, cpu = wanted_providers(names, HERE, engines=ENGINES)

    assert tensorrt.options["trt_engine_cache_enable"] == "True"
    assert tensorrt.options["trt_engine_cache_path"] == "/mine"
    assert tensorrt.options["trt_timing_cache_path"] == str(ENGINES)
    assert openvino.options == {"cache_dir": str(ENGINES)}
    assert cpu.options == {}


@pytest.mark.parametrize("name", ["cuda:device_id", "cuda:=1", "cuda:", "cuda:device_id="])
def test_an_option_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"is not an option; write options as cuda:option=value"
    ):
        wanted_providers([name], HERE, engines=None)


def test_engines_are_built_only_by_those_that_do() -> None:
    assert builds_engines(["cuda", "Tensorrt:x=1"])
    assert not builds_engines(["auto"])
    assert not builds_engines([])


def test_a_model_says_where_its_nodes_run() -> None:
    shares = bundled().provider_shares

    assert shares in ({}, {"CPUExecutionProvider": 1.0})  # older ones do not tell
