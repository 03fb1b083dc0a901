"""All instructions of the processor for Intel's MKL, with which torch computes, whoever made the processor.

MKL looks at the maker first, and leaves instructions of AMD's processors unused: products of matrices and tanh took 2.3
and 12.6 times as long on one with AVX-512 (bench/instructions.md). What looks is one function, and of functions with
one name that which was loaded first is called; so ours is loaded before torch is imported. A maintainer of torch
advises it (https://github.com/pytorch/builder/pull/1245).

Installing the package builds the library, where there is a C compiler; without one all is as torch has it.
"""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

LIBRARY = Path(__file__).with_name("_mkl" + EXTENSION_SUFFIXES[0])


def unlock() -> None:
    """Load the library if it was built. Too late, hence without effect, where torch has been imported before.

    Example:
        >>> unlock()
    """
    if LIBRARY.exists():
        ctypes.CDLL(str(LIBRARY), mode=ctypes.RTLD_GLOBAL)
