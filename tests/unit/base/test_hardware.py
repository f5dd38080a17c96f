import copy

import numpy as np
import pytest
import torch
from fresh_process import printed
from torch import nn

from afpbench.base import hardware


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1),
        nn.LeakyReLU(),
        nn.Conv3d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.Conv3d(6, 2, 1),
    ).eval()


@pytest.mark.parametrize("batch", [1, 2])
def test_fast_convolutions_give_the_same_output_and_gradient(batch):
    plain = network()
    fast = hardware.fast_convolutions(copy.deepcopy(plain))
    image = torch.randn(batch, 1, 9, 10, 11)
    one, other = image.clone().requires_grad_(), image.clone().requires_grad_()
    expected, found = plain(one), fast(other)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    expected.square().sum().backward()
    found.square().sum().backward()
    torch.testing.assert_close(other.grad, one.grad, atol=1e-5, rtol=1e-5)


def test_fast_convolutions_keep_weights_and_their_names():
    plain = network()
    fast = hardware.fast_convolutions(copy.deepcopy(plain))
    assert list(fast.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        fast.load_state_dict({key: value * 2 for key, value in plain.state_dict().items()})
        plain.load_state_dict({key: value * 2 for key, value in plain.state_dict().items()})
        image = torch.randn(1, 1, 8, 8, 8)
        torch.testing.assert_close(fast(image), plain(image), atol=1e-5, rtol=1e-5)


def test_mixed_precision_is_left_to_pytorch():
    fast = hardware.fast_convolutions(network())
    with torch.no_grad(), hardware.autocast("cpu", torch.bfloat16):
        assert fast(torch.randn(1, 1, 8, 8, 8)).dtype == torch.bfloat16


def test_odd_convolutions_are_left_alone():
    odd = nn.Sequential(nn.Conv3d(1, 2, 3, padding="same"), nn.Conv3d(2, 2, 3, padding=1, padding_mode="replicate"))
    fast = hardware.fast_convolutions(copy.deepcopy(odd))
    image = torch.randn(1, 1, 6, 6, 6)
    torch.testing.assert_close(fast(image), odd(image))


def test_fast_convolutions_hand_the_logits_over_channel_by_channel():
    fast = hardware.fast_convolutions(network())
    with torch.no_grad():
        assert fast(torch.randn(1, 1, 8, 10, 12)).is_contiguous()


def test_a_large_block_is_used_again():
    program = (
        "import resource, torch; from afpbench.base import hardware; hardware.set_threads(1)\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(20): torch.ones(16_000_000)  # until an aligned block is found\n"
        "before = faults()\n"
        "for _ in range(10): torch.ones(16_000_000)\n"
        "print(faults() - before)"
    )
    assert int(printed(program)) < 1000  # a block of 64 MB is 15,625 pages


@pytest.fixture
def algorithms():
    before = torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
    yield
    torch.backends.cudnn.benchmark = before[0]
    torch.use_deterministic_algorithms(before[1])


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_same_numbers_on_a_cpu_and_speed_on_a_gpu(algorithms, device):
    hardware.choose_algorithms(device)
    assert torch.are_deterministic_algorithms_enabled() == (device == "cpu")
    assert torch.backends.cudnn.benchmark == (device == "cuda")


@pytest.mark.parametrize(
    ("requested", "flags", "dtype"),
    [
        ("auto", {"avx2", "amx_bf16"}, torch.bfloat16),
        ("auto", {"avx2", "avx512_bf16"}, torch.bfloat16),
        ("auto", {"avx2", "avx512f"}, None),
        ("float32", {"avx512_bf16"}, None),
        ("bfloat16", {"avx512_bf16"}, torch.bfloat16),
        ("bfloat16", {"avx2"}, torch.bfloat16),
    ],
)
def test_the_number_format_hangs_on_the_processors_flags(monkeypatch, caplog, requested, flags, dtype):
    hardware._warn_of_emulation.cache_clear()
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: flags)
    assert hardware.autocast_dtype(requested, "cpu") == dtype
    assert hardware.autocast_dtype(requested, "cpu") == dtype
    emulated = requested == "bfloat16" and flags == {"avx2"}
    assert [record.levelname for record in caplog.records] == (["WARNING"] if emulated else [])
    assert ("14 times slower" in caplog.text) == emulated
    assert hardware.format_name(dtype) == ("bfloat16" if dtype else "float32")


@pytest.mark.parametrize(
    ("variable", "value", "left"),
    [
        ("ATEN_CPU_CAPABILITY", "avx2", {"avx2"}),
        ("ATEN_CPU_CAPABILITY", "avx512", {"avx2", "avx512f", "amx_bf16"}),
        ("ONEDNN_MAX_CPU_ISA", "AVX2", {"avx2"}),
        ("ONEDNN_MAX_CPU_ISA", "avx512_core_vnni", {"avx2", "avx512f"}),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", {"avx2", "avx512f", "amx_bf16"}),
        ("ONEDNN_MAX_CPU_ISA", "ALL", {"avx2", "avx512f", "amx_bf16"}),
    ],
)
def test_instructions_that_the_libraries_may_not_use_are_not_there(monkeypatch, variable, value, left):
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(hardware, "_cpuinfo", lambda: "model name\t: X\nflags\t\t: avx2 avx512f amx_bf16\n")
    monkeypatch.setenv(variable, value)
    assert hardware._cpu_flags() == left
    assert (hardware.autocast_dtype("auto", "cpu") is None) == ("amx_bf16" not in left)


def test_memory_is_not_filled_before_it_is_written(algorithms):
    hardware.choose_algorithms("cpu")
    assert not torch.utils.deterministic.fill_uninitialized_memory


def test_an_array_goes_to_a_cpu_and_back_as_it_is():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = hardware.send(array, torch.device("cpu"))
    assert torch.equal(tensor, torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]))
    assert np.array_equal(hardware.fetch(tensor * 2)(), 2 * array)
