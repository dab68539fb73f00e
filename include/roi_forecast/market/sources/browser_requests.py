"""curl_cffi, loaded so that it goes on working in a process that has loaded TensorFlow before.

Both carry a TLS library whose functions have the same names. Whoever comes second would get those
of the first, and curl_cffi could no longer pass as a browser, which Yahoo asks for. Binding deeply
makes it prefer its own.
"""

from __future__ import annotations

import os
import sys

_usual_flags = sys.getdlopenflags()
# Only glibc knows deep binding; elsewhere names are looked up per library anyway.
sys.setdlopenflags(_usual_flags | getattr(os, "RTLD_DEEPBIND", 0))
try:
    from curl_cffi import requests
finally:
    sys.setdlopenflags(_usual_flags)

__all__ = ["requests"]
