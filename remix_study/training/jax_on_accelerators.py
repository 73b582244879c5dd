"""What JAX is told where it runs on an accelerator: to keep programs, and to run loops there."""

from __future__ import annotations

import os
from typing import Any

import platformdirs


def keep_compiled_programs(jax: Any) -> None:
    """Keep what is compiled for an accelerator on the disk, unless the user says where or not.

    It takes seconds a program, and problems of the same shape, later trials and later processes
    have the same programs.
    """
    if jax.config.jax_compilation_cache_dir is None:
        folder = platformdirs.user_cache_path("remix_study", appauthor=False) / "jax"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            # No home that may be written to: JAX would warn of every program.
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def options_for_loops(jax: Any) -> dict[str, str] | None:
    """Options with which a CUDA device runs the loop over steps by itself; None where it cannot.

    Otherwise XLA asks the host after each step whether there is another: its call returns only
    when the last step begins. The names are what XLA puts into CUDA graphs by default, and loops.
    """
    option = "xla_gpu_enable_command_buffer"
    is_cuda = "cuda" in jax.devices()[0].client.platform_version.lower()
    if not is_cuda or option in os.environ.get("XLA_FLAGS", ""):
        return None
    names = "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,CONDITIONAL,WHILE"
    options = {option: names}
    try:
        jax.jit(abs, compiler_options=options).lower(0.0).compile()
    except Exception:
        # Earlier versions know other names, and raise other errors.
        return None
    return options
