"""Loading Keras: silence while it lasts, and everything heard if it fails."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from remix_study.data.aligned import aligned_empty
from remix_study.training import backend
from remix_study.training.backend import hidden_stderr
from remix_study.training.jax_on_accelerators import options_for_loops


def fail(error, text):
    os.write(2, text)
    raise error


def test_what_is_written_meanwhile_is_hidden(capfd):
    with hidden_stderr():
        os.write(2, b"could not find cuda drivers\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_was_written_is_shown_when_loading_fails(capfd):
    with pytest.raises(ImportError), hidden_stderr():
        fail(ImportError, b"no such library\n")
    assert capfd.readouterr().err == "no such library\n"


def test_an_interrupt_is_no_failure(capfd):
    with pytest.raises(KeyboardInterrupt), hidden_stderr():
        fail(KeyboardInterrupt, b"could not find cuda drivers\n")
    assert capfd.readouterr().err == ""


def test_standard_output_stays_what_it_is(capfd):
    with hidden_stderr():
        print("answer")
    assert capfd.readouterr().out == "answer\n"


def test_a_closed_standard_error_is_no_trouble():
    code = (
        "import os; os.close(2)\n"
        "from remix_study.training.backend import hidden_stderr\n"
        "with hidden_stderr(): print(1)"
    )
    # Without standard error Python itself has none to flush.
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
    assert done.stdout == b"1\n"


def test_a_backend_that_cannot_train_is_refused(monkeypatch):
    import keras

    from remix_study.errors import UsageError
    from remix_study.training.backend import load_networks

    load_networks()
    with monkeypatch.context() as broken:
        broken.setitem(sys.modules, "keras", None)
        with pytest.raises(
            UsageError, match=r"Keras cannot be loaded .* KERAS_BACKEND to tensorflow"
        ):
            load_networks()
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(UsageError, match="KERAS_BACKEND"):
        load_networks()


def test_a_machine_that_does_not_tell_its_cores_prints_nothing(monkeypatch, capfd):
    from joblib import cpu_count
    from joblib.externals.loky.backend import context

    from remix_study.training.backend import load_networks

    monkeypatch.setattr(context, "physical_cores_cache", None)
    monkeypatch.setattr(context, "_cpu_count_user", lambda cores: cores)
    monkeypatch.setattr(context, "_count_physical_cores_linux", lambda: 0)
    with hidden_stderr():
        load_networks()
    assert context.physical_cores_cache == "not found"
    cpu_count(only_physical_cores=True)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8])
def test_a_program_on_a_cpu_reads_the_memory_of_an_array(name, dtype):
    pytest.importorskip(name)
    library = backend._BACKENDS[name]()
    if library.has_accelerator():
        pytest.skip("an accelerator has memory of its own")
    rows = aligned_empty((50, 3), dtype)
    rows[:] = np.arange(150).reshape(50, 3) % 100
    # As those of a data set are.
    rows.flags.writeable = False
    on_device = library.shared(rows)
    np.testing.assert_array_equal(np.asarray(on_device), rows)
    rows.flags.writeable = True
    rows[2, 1] = 111
    assert np.asarray(on_device)[2, 1] == 111


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_a_compiled_function_is_called_by_shapes(name):
    """Also where a call has None for an array, and where the same array comes twice."""
    pytest.importorskip(name)
    library = backend._BACKENDS[name]()
    traced = []

    def step(pair, scale, added, removed):
        traced.append(1)
        first, second = pair
        total = first * scale - second
        total = total if added is None else total + added
        return total if removed is None else total - removed, pair

    program = library.compiled(step, xla=True)
    arrays = [np.arange(n, dtype=np.float32) for n in (3, 4, 3, 4, 3)]
    for round_ in range(3):
        for array in arrays:
            first = library.on_device(array + round_)
            scale = library.argument(np.array(round_, np.float32))
            for pair in ((first, first), (first, library.on_device(array))):
                total, returned = program(pair, scale, None, None)
                np.testing.assert_array_equal(total, (array + round_) * round_ - pair[1])
                np.testing.assert_array_equal(returned[1], pair[1])
            total, _ = program((first, first), scale, first, None)
            np.testing.assert_array_equal(total, (array + round_) * round_)
            total, _ = program((first, first), scale, None, first)
            np.testing.assert_array_equal(total, (array + round_) * (round_ - 2))
    # Of two shapes, without the last two arguments and with each.
    assert len(traced) == 6


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_an_array_that_begins_elsewhere_is_copied(name):
    pytest.importorskip(name)
    rows = aligned_empty((50, 4), np.float32)[:, 1:]
    rows[:] = np.arange(150).reshape(50, 3)
    np.testing.assert_array_equal(np.asarray(backend._BACKENDS[name]().shared(rows)), rows)


class Jax:
    """What is asked of JAX; ``compiles`` tells whether it knows the names."""

    def __init__(self, platform, *, compiles):
        client = SimpleNamespace(platform_version=platform)
        self.devices = lambda: [SimpleNamespace(client=client)]
        self.compiles, self.asked = compiles, []

    def jit(self, _, compiler_options):
        if not self.compiles:
            raise ValueError("invalid option")
        self.asked.append(compiler_options)
        return self

    def lower(self, _):
        return self

    def compile(self):
        return self


def test_a_cuda_device_runs_loops_by_itself_unless_the_user_decides(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    for platform in ("cpu", "rocm 60100"):
        assert options_for_loops(Jax(platform, compiles=True)) is None
    cuda = Jax("cuda 13000", compiles=True)
    options = options_for_loops(cuda)
    assert cuda.asked == [options]
    assert "WHILE" in options["xla_gpu_enable_command_buffer"].split(",")
    assert options_for_loops(Jax("cuda 12020", compiles=False)) is None
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_command_buffer=FUSION")
    assert options_for_loops(Jax("cuda 13000", compiles=True)) is None


def test_jax_knows_the_names_of_what_runs_on_the_device():
    """Also on a CPU it refuses names that it does not know."""
    jax = pytest.importorskip("jax", minversion="0.8", reason="earlier ones have other names")
    options = options_for_loops(Jax("cuda", compiles=True))
    assert jax.jit(abs, compiler_options=options)(-1.0) == 1.0
    unknown = {name: f"{value},NOTHING" for name, value in options.items()}
    with pytest.raises(Exception, match="NOTHING"):
        jax.jit(abs, compiler_options=unknown)(-1.0)


def test_objects_of_a_library_are_not_searched_while_it_is_loaded(monkeypatch):
    """Python would look for unreachable ones a thousand times, a fifth of the time it takes."""
    searches, objects, usual = [], [], gc.get_threshold()

    def note(phase, _facts):
        searches.extend([phase] * bool(objects))

    monkeypatch.setattr(backend, "backend", lambda: objects.extend([] for _ in range(200_000)))
    monkeypatch.setattr(backend, "check_keras_settings", lambda: None)
    gc.callbacks.append(note)
    try:
        backend.load_networks()
    finally:
        gc.callbacks.remove(note)
    assert len(objects) == 200_000
    assert searches == []
    assert gc.get_threshold() == usual


def test_tensors_have_a_pool_before_tensorflow_is_imported(monkeypatch):
    found = {}
    monkeypatch.delenv("TF_CPU_ALLOCATOR_USE_BFC", raising=False)
    monkeypatch.setenv("TF_CPU_BFC_MEM_LIMIT_IN_MB", "9000")
    monkeypatch.setattr(backend, "backend", lambda: found.update(os.environ))
    monkeypatch.setattr(backend, "check_keras_settings", lambda: None)
    backend.load_networks()
    assert found["TF_CPU_ALLOCATOR_USE_BFC"] == "1"
    assert found["TF_CPU_BFC_MEM_LIMIT_IN_MB"] == "9000"
    monkeypatch.setenv("TF_CPU_ALLOCATOR_USE_BFC", "0")
    backend.load_networks()
    assert found["TF_CPU_ALLOCATOR_USE_BFC"] == "0"


@pytest.mark.slow
def test_tensorflow_takes_tensors_from_the_pool():
    """TensorFlow counts what is in its pool, and nothing in the C library's heap."""
    program = (
        "from remix_study.training.backend import load_networks; load_networks()\n"
        "import tensorflow as tf; tensor = tf.zeros((1000, 1000))\n"
        "assert tf.config.experimental.get_memory_info('CPU:0')['current'] >= 4_000_000"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPU_")}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
