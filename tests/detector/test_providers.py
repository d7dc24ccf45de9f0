from pathlib import Path

import pytest

from agent.detector.providers import Provider, builds_engines, wanted_providers
from agent.errors import ConfigurationError
from tests.detector.planted_models import bundled

AVAILABLE = [
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "AzureExecutionProvider",
    "CPUExecutionProvider",
]
ENGINES = Path("/var/lib/capture-agent/engines")


def test_auto_takes_all_providers_except_azure_and_tensorrt() -> None:
    found = [each.name for each in wanted_providers(["auto"], AVAILABLE, engines=None)]

    assert found == [
        "CUDAExecutionProvider",
        "OpenVINOExecutionProvider",
        "CPUExecutionProvider",
    ]


def test_options_are_passed_on_unchanged() -> None:
    found = wanted_providers(["cuda:device_id=1:gpu_mem_limit=9", "CPU"], AVAILABLE, engines=None)

    assert found == [
        Provider("CUDAExecutionProvider", {"device_id": "1", "gpu_mem_limit": "9"}),
        Provider("CPUExecutionProvider"),
    ]


def test_engines_are_cached_unless_the_operator_sets_another_folder() -> None:
    names = ["tensorrt:trt_engine_cache_path=/mine", "OpenVINOExecutionProvider", "cpu"]

    tensorrt, openvino, cpu = wanted_providers(names, AVAILABLE, engines=ENGINES)

    assert tensorrt.options["trt_engine_cache_enable"] == "True"
    assert tensorrt.options["trt_engine_cache_path"] == "/mine"
    assert tensorrt.options["trt_timing_cache_path"] == str(ENGINES)
    assert openvino.options == {"cache_dir": str(ENGINES)}
    assert cpu.options == {}


@pytest.mark.parametrize("name", ["cuda:device_id", "cuda:=1", "cuda:", "cuda:device_id="])
def test_a_malformed_option_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"is not an option; write options as cuda:option=value"
    ):
        wanted_providers([name], AVAILABLE, engines=None)


def test_only_some_providers_build_engines() -> None:
    assert builds_engines(["cuda", "Tensorrt:x=1"])
    assert not builds_engines(["auto"])
    assert not builds_engines([])


def test_the_shares_of_nodes_per_provider_are_reported() -> None:
    shares = bundled().provider_shares

    # Older versions of onnxruntime do not report it.
    assert shares in ({}, {"CPUExecutionProvider": 1.0})
