"""All instructions of the processor for Intel's MKL, with which torch computes, whoever made the processor.

MKL looks at the maker first: on AMD's processors it multiplies matrices at half of the speed that it has with AVX-512,
and takes many times as long for tanh and log. What looks is one function, and of functions with one name that which is
loaded first is called; that is why this happens before torch is imported. torch's maintainers advise it
(https://github.com/pytorch/builder/pull/1245); bench/mkl.md has measured it.

Installing the package builds the library, where there is a C compiler; without one all is as torch has it.
"""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

LIBRARY = Path(__file__).with_name("_mkl" + EXTENSION_SUFFIXES[0])


def unlock() -> None:
    """Load the library if it was built. Too late, hence without effect, where torch has been imported before."""
    if LIBRARY.exists():
        ctypes.CDLL(str(LIBRARY), mode=ctypes.RTLD_GLOBAL)
