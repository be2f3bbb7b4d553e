"""Where a network computes, in which numbers, and what to do when memory runs out. Stages with a network share it.

torch is imported inside the functions: workers without torch import this module too, and those with it must
not have started torch before they fork.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, Final, TypeVar

from shared.errors import ConfigurationError

T = TypeVar("T")

AUTO: Final = "auto"
DTYPES: Final = ("float32", "bfloat16", "float16")

_BFLOAT16_FROM: Final = (8, 0)
"""CUDA compute capability from which bfloat16 is computed in hardware (Ampere)."""
_NO_MEMORY: Final = ("out of memory", "can't allocate memory")
"""How torch words the lack of memory where it has no exception of its own for it: MPS, and the CPU's allocator."""


def device_for(choice: str = AUTO) -> Any:
    """A `torch.device`: the one named (`cuda:1`), or for `auto` the first there is of cuda, mps, cpu.

    Raises ConfigurationError where torch is not installed, or the device does not exist here.
    """
    torch = loaded_torch()
    present = []
    if torch.cuda.is_available():
        present += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        present.append("mps")
    present.append("cpu")
    if choice not in (AUTO, *present):
        raise ConfigurationError(
            f"expected a device out of {', '.join((AUTO, *present))}; found {choice!r}. "
            "Choose one of these, or check the driver and the build of torch"
        )
    return torch.device(present[0] if choice == AUTO else choice)


def dtype_for(choice: str, device: Any) -> Any:
    """A `torch.dtype`: the one named, or for `auto` float32, on CUDA bfloat16 (float16 before Ampere).

    Raises ConfigurationError for a name that is none of `DTYPES`.
    """
    torch = loaded_torch()
    if choice == AUTO:
        if device.type != "cuda":
            return torch.float32
        modern = torch.cuda.get_device_capability(device) >= _BFLOAT16_FROM
        return torch.bfloat16 if modern else torch.float16
    if choice not in DTYPES:
        raise ConfigurationError(f"expected a dtype out of {', '.join((AUTO, *DTYPES))}; found {choice!r}")
    return getattr(torch, choice)


def gpu_id(choice: str = AUTO) -> str | None:
    """What the GPU of a choice is called everywhere, its UUID; None where there is none, or no torch to use it."""
    try:
        device = device_for(choice)
    except ConfigurationError:
        return None
    return str(loaded_torch().cuda.get_device_properties(device).uuid) if device.type == "cuda" else None


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception out of torch says that memory did not suffice."""
    if isinstance(error, MemoryError | loaded_torch().OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _NO_MEMORY)


def unless_out_of_memory(device: Any, compute: Callable[[], T]) -> T | None:
    """What `compute` gives; None where memory did not suffice, and what the failed try has held is free again."""
    try:
        return compute()
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    # Outside of the handler, whose traceback keeps the tensors of the failed pass alive.
    gc.collect()
    release(device)
    return None


def release(device: Any) -> None:
    """Gives cached blocks back, so that smaller ones find room after memory ran out."""
    torch = loaded_torch()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def loaded_torch() -> Any:
    """The module torch, imported now. Raises ConfigurationError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise ConfigurationError(
            f"expected torch for this stage, found: {error}. Install it: pip install 'otzyv[gpu]'"
        ) from error
    return torch
