"""Unlocking of all processor instructions for Intel's MKL, with which torch computes, whoever made the processor.

MKL checks the maker of the processor first, and leaves instructions of AMD's processors unused: products of matrices
and tanh took 2.3 and 12.6 times as long on one with AVX-512 (bench/instructions.md). A single function does the check.
Among functions of the same name the one that was loaded first is called: ours is loaded before torch is imported. A
maintainer of torch advises it (https://github.com/pytorch/builder/pull/1245).

Installing the package builds the library where there is a C compiler. Without one, MKL stays as torch has it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

LIBRARY = Path(__file__).with_name("_mkl" + EXTENSION_SUFFIXES[0])

VARIABLE = "ENTROPY_SUMS_MKL"
"""Environment variable: 0 leaves MKL as it comes, 1 is the default."""

UNLOCKED, SWITCHED_OFF, NOT_BUILT = "unlocked", f"switched off by {VARIABLE}=0", "library not built"
TOO_LATE, NOT_ASKED = "library not loaded, as torch was imported before", "library not loaded"

_state = NOT_ASKED


def unlock() -> None:
    """Load the library, if it was built and is not switched off; call it before torch is imported.

    Raises:
        ValueError: the variable is neither 0 nor 1.

    Example:
        >>> unlock()
        >>> state() in (UNLOCKED, SWITCHED_OFF, NOT_BUILT)
        True
    """
    global _state
    asked = os.environ.get(VARIABLE, "1")
    if asked not in ("0", "1"):
        raise ValueError(
            f"{VARIABLE}={asked}: write 1 (or unset it) for all instructions of the processor, 0 for MKL as it comes"
        )
    if _state == UNLOCKED:
        return
    if asked == "0":
        _state = SWITCHED_OFF
    elif not LIBRARY.exists():
        _state = NOT_BUILT
    elif "torch" in sys.modules:
        _state = TOO_LATE
    else:
        ctypes.CDLL(str(LIBRARY), mode=ctypes.RTLD_GLOBAL)
        _state = UNLOCKED


def state() -> str:
    """State of the library in this process, for the record.

    Example:
        >>> state() in (UNLOCKED, SWITCHED_OFF, NOT_BUILT, TOO_LATE, NOT_ASKED)
        True
    """
    return _state
