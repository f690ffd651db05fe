"""Mistakes that kernels are made with: each is caught, and the text says what, where and in which thread."""

from __future__ import annotations

from pathlib import Path

import cuda_harness
import numpy as np
import pytest

pytestmark = pytest.mark.needs("cuda")


@pytest.fixture
def planted(compiled):
    return compiled("planted.cu")


@pytest.fixture
def failing(cuda, to_device):
    """Launch a kernel of which the driver must say a text; the harness must have an explanation that begins so."""

    def launch(function, *arguments, says, because, error=None, **configuration):
        with pytest.raises(error or cuda.LogicError) as raised:
            function(*arguments, **configuration)
        assert str(raised.value) == f"cuLaunchKernel failed: {says}"
        assert cuda_harness.last_error().startswith(because)
        with pytest.raises(cuda.Error) as later:
            cuda.Context.synchronize()
        assert str(later.value) == f"cuCtxSynchronize failed: {says}", "the context must stay unusable"
        cuda_harness.reset()
        cuda.Context.synchronize()

    return launch


SOURCE = (Path(__file__).parent / "kernels" / "planted.cu").read_text().splitlines()


def line(mark):
    """``kernel.cu:12``, where the line of the source ends in the mark."""
    (number,) = [k for k, text in enumerate(SOURCE, 1) if text.endswith(f"// line: {mark}")]
    return f"kernel.cu:{number}"


ILLEGAL = "an illegal memory access was encountered"
FAILURE = "unspecified launch failure"
MISALIGNED = "misaligned address"

# --- Races: the result depends on the schedule --------------------------------------------------------------


@pytest.mark.parametrize("barriers, right", [(3, True), (2, False), (1, False), (0, False)])
def test_a_missing_barrier_shows(compiled, cuda, to_device, to_host, barriers, right):
    a, b = np.random.default_rng(0).integers(-4, 5, (2, 24, 24)).astype(np.float32)
    given = to_device(a), to_device(b), cuda.mem_alloc(a.nbytes)
    product = compiled("planted.cu", BARRIERS=barriers).get_function("matmul").prepare("PPPi")

    def run():
        product.prepared_call((3, 3), (8, 8, 1), *given, 24)
        return to_host(given[2], (24, 24), np.float32)

    assert np.array_equal(run(), a @ b) == right
    assert (cuda_harness.differing_schedules(run) == []) == right


def test_a_racing_write_to_shared_memory_shows(planted, cuda, to_host):
    out = cuda.mem_alloc(4 * 64)

    def run():
        planted.get_function("race")(out, block=(64, 1, 1))
        return to_host(out, 64, np.int32)

    with cuda_harness.schedule("forward"):
        assert set(run()) == {63}
    with cuda_harness.schedule("reverse"):
        assert set(run()) == {0}
    assert "reverse" in cuda_harness.differing_schedules(run)


@pytest.mark.parametrize("macros, right", [({}, False), ({"CORRECT": 1}, True)])
def test_warp_synchronous_code_shows(compiled, cuda, to_device, to_host, macros, right):
    x, out = to_device(np.arange(32, dtype=np.int32)), cuda.mem_alloc(4)

    def run():
        compiled("planted.cu", **macros).get_function("warp_synchronous")(x, out, block=(32, 1, 1))
        return to_host(out, 1, np.int32)

    assert (run()[0] == 31 * 16) == right
    assert (cuda_harness.differing_schedules(run) == []) == right


# --- Addresses ----------------------------------------------------------------------------------------------


def test_a_misaligned_vector_load_fails(planted, cuda, to_device, to_host, failing):
    x, out = to_device(np.arange(12, dtype=np.float32)), cuda.mem_alloc(4)
    load = planted.get_function("misaligned")
    load(x, out, np.int32(4), block=(1, 1, 1))
    assert to_host(out, 1, np.float32) == 4
    because = "misaligned<<<(1, 1, 1), (1, 1, 1), 0 bytes>>>: block (0, 0, 0), thread (0, 0, 0): address "
    failing(load, x, out, np.int32(1), block=(1, 1, 1), says=MISALIGNED, because=because)


def test_shared_memory_is_no_better_aligned_than_its_type(compiled, cuda, to_host, failing):
    out = cuda.mem_alloc(32)
    good = compiled("planted.cu", CORRECT=1).get_function("misaligned_shared")
    good(out, block=(8, 1, 1))
    assert np.isfinite(to_host(out, 8, np.float32)).all()
    bad = compiled("planted.cu").get_function("misaligned_shared")
    because = "misaligned_shared<<<(1, 1, 1), (8, 1, 1), 0 bytes>>>: block (0, 0, 0), thread (0, 0, 0): address "
    failing(bad, out, block=(8, 1, 1), says=MISALIGNED, because=because)


@pytest.mark.parametrize("n", [33, 64, 1000])
def test_a_read_beyond_an_allocation_fails(planted, cuda, to_device, to_host, failing, n):
    x, out = to_device(np.zeros(32, np.float32)), cuda.mem_alloc(4000)
    planted.get_function("copy")(x, out, np.int32(32), block=(32, 1, 1), grid=(32, 1))
    because = "copy<<<(32, 1, 1), (32, 1, 1), 0 bytes>>>: block (1, 0, 0), thread (0, 0, 0): address "
    copy = planted.get_function("copy")
    failing(copy, x, out, np.int32(n), block=(32, 1, 1), grid=(32, 1), says=ILLEGAL, because=because)


def test_a_write_beyond_an_allocation_fails(planted, cuda, to_device, failing):
    x, out = to_device(np.zeros(64, np.float32)), cuda.mem_alloc(128)
    because = "copy<<<(2, 1, 1), (32, 1, 1), 0 bytes>>>: block (1, 0, 0), thread (0, 0, 0): address "
    copy = planted.get_function("copy")
    failing(copy, x, out, np.int32(64), block=(32, 1, 1), grid=(2, 1), says=ILLEGAL, because=because)


def test_a_write_into_the_rest_of_the_last_16_bytes_shows_when_the_memory_is_freed(planted, cuda, to_device):
    x, out = to_device(np.zeros(32, np.float32)), cuda.mem_alloc(4 * 31)
    planted.get_function("copy")(x, out, np.int32(32), block=(32, 1, 1))
    out.free()  # PyCUDA only prints what the driver says here; the next call repeats it
    with pytest.raises(cuda.LogicError):
        cuda.Context.synchronize()
    assert cuda_harness.last_error() == "cuMemFree: something was written directly beside these 124 bytes"


@pytest.mark.parametrize("kernel, shift, index", [("beyond_shared", 1, 32), ("beyond_shared", -1, -1)])
def test_an_index_beyond_a_shared_array_fails(planted, cuda, failing, kernel, shift, index):
    thread = 31 if shift > 0 else 0
    because = (
        f"{kernel}<<<(1, 1, 1), (32, 1, 1), 0 bytes>>>: block (0, 0, 0), thread ({thread}, 0, 0): "
        f"index {index} is out of the bounds of 'int [32]' in {line('index')}"
    )
    function, out = planted.get_function(kernel), cuda.mem_alloc(128)
    failing(function, out, np.int32(shift), block=(32, 1, 1), says=ILLEGAL, because=because)


@pytest.mark.parametrize("shift", [1, 16, -1, -16])
def test_a_write_beside_a_shared_array_fails(planted, cuda, failing, shift):
    because = (
        "beside_shared<<<(1, 1, 1), (32, 1, 1), 0 bytes>>>: "
        "block (0, 0, 0) wrote beside the shared variable kept of 128 bytes"
    )
    function, out = planted.get_function("beside_shared"), cuda.mem_alloc(128)
    failing(function, out, np.int32(shift), block=(32, 1, 1), says=ILLEGAL, because=because)


def test_a_write_beyond_dynamic_shared_memory_fails(planted, cuda, failing):
    function, out = planted.get_function("beyond_dynamic"), cuda.mem_alloc(128)
    function(out, np.int32(0), block=(32, 1, 1), shared=128)
    because = (
        "beyond_dynamic<<<(1, 1, 1), (32, 1, 1), 128 bytes>>>: block (0, 0, 0), thread (31, 0, 0): "
        "access behind the 128 bytes of dynamic shared memory"
    )
    failing(function, out, np.int32(1), block=(32, 1, 1), shared=128, says=ILLEGAL, because=because)
    because = (
        "beyond_dynamic<<<(1, 1, 1), (32, 1, 1), 128 bytes>>>: "
        "block (0, 0, 0) wrote beside its 128 bytes of dynamic shared memory"
    )
    failing(function, out, np.int32(-1), block=(32, 1, 1), shared=128, says=ILLEGAL, because=because)


def test_memory_that_was_freed_cannot_be_used(planted, cuda, to_device, failing):
    x, out = to_device(np.zeros(32, np.float32)), cuda.mem_alloc(128)
    address = int(x)
    x.free()
    again = [cuda.mem_alloc(128) for _ in range(20)]
    assert address not in map(int, again)
    because = "copy<<<(1, 1, 1), (32, 1, 1), 0 bytes>>>: block (0, 0, 0), thread (0, 0, 0): address "
    copy = planted.get_function("copy")
    failing(copy, np.intp(address), out, np.int32(32), block=(32, 1, 1), says=ILLEGAL, because=because)


def test_a_thread_that_needs_too_much_stack_fails(planted, cuda, failing):
    because = (
        "deep<<<(1, 1, 1), (1, 1, 1), 0 bytes>>>: block (0, 0, 0), thread (0, 0, 0): "
        "the thread needs more than 131072 bytes of stack"
    )
    failing(planted.get_function("deep"), cuda.mem_alloc(4), block=(1, 1, 1), says=ILLEGAL, because=because)


# --- Memory that nobody wrote -------------------------------------------------------------------------------


def test_unwritten_device_memory_is_nan_and_minus_one(cuda, context, to_host):
    memory = cuda.mem_alloc(64)
    assert np.isnan(to_host(memory, 16, np.float32)).all()
    assert np.isnan(to_host(memory, 8, np.float64)).all()
    assert np.isnan(to_host(memory, 32, np.float16)).all()
    assert (to_host(memory, 16, np.int32) == -1).all()


def test_unwritten_shared_memory_is_nan_in_every_block(planted, cuda, to_host):
    out = cuda.mem_alloc(128)
    for _ in range(2):
        planted.get_function("unwritten")(out, block=(32, 1, 1), grid=(3, 1))
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(to_host(out, 32, np.float32))), [7])


def test_unwritten_pinned_memory_is_nan(cuda, context):
    assert np.isnan(cuda.pagelocked_empty(100, np.float32)).all()


# --- Barriers -----------------------------------------------------------------------------------------------

DIVERGENT = {
    "divergent": (
        f"threads wait at different barriers: thread (0, 0, 0) at __syncthreads in {line('some')}; "
        f"thread (7, 0, 0) at __syncthreads in {line('others')}"
    ),
    "deadlock": (
        f"threads wait for each other: thread (0, 0, 0) at __syncthreads in {line('block')}; "
        f"thread (7, 0, 0) at __syncwarp in {line('warp')}"
    ),
    "divergent_shuffle": (
        f"threads wait at different barriers: thread (0, 0, 0) at a shuffle in {line('low half')}; "
        f"thread (16, 0, 0) at a shuffle in {line('high half')}"
    ),
    "partial_mask": f"block (0, 0, 0), thread (0, 0, 0): a shuffle in {line('mask')} with a partial mask",
    "trapped": f"block (0, 0, 0), thread (5, 0, 0): __trap in {line('trap')}",
}


@pytest.mark.parametrize("kernel", DIVERGENT)
def test_threads_that_do_not_meet_fail(planted, cuda, failing, kernel):
    because = f"{kernel}<<<(1, 1, 1), (32, 1, 1), 0 bytes>>>: {DIVERGENT[kernel]}"
    function, out = planted.get_function(kernel), cuda.mem_alloc(128)
    failing(function, out, block=(32, 1, 1), says=FAILURE, error=cuda.LaunchError, because=because)


def test_work_goes_on_after_every_kind_of_error(planted, cuda, to_device, to_host):
    out = cuda.mem_alloc(256)
    for kernel in DIVERGENT:
        with pytest.raises(cuda.Error):
            planted.get_function(kernel)(out, block=(64, 1, 1))
        cuda_harness.reset()
        planted.get_function("race")(out, block=(64, 1, 1))
        assert len(set(to_host(out, 64, np.int32))) == 1


# --- Parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form, arguments, given", [("PP", (), 16), ("PPP", (0,), 24), ("PPii", (1, 1), 24), ("PPq", (1,), 24)]
)
def test_a_wrong_number_of_parameters_is_refused(planted, cuda, to_device, form, arguments, given):
    copy = planted.get_function("copy").prepare(form)
    x, out = to_device(np.zeros(32, np.float32)), cuda.mem_alloc(128)
    before = cuda_harness.counters()["threads"]
    with pytest.raises(cuda.LogicError, match=r"^cuLaunchKernel failed: invalid argument$"):
        copy.prepared_call((1, 1), (32, 1, 1), x, out, *arguments)
    because = f"copy<<<(1, 1, 1), (32, 1, 1), 0 bytes>>>: {given} bytes of parameters given, the kernel takes 20"
    assert cuda_harness.last_error() == because
    assert cuda_harness.counters()["threads"] == before, "nothing may run"
    cuda.Context.synchronize()  # such a refusal leaves the context usable
