"""curl_cffi, loaded so that it works in a process that has already loaded TensorFlow.

Both contain a TLS library with the same function names, and the second one loaded would use the
functions of the first: curl_cffi could no longer pass as a browser, which Yahoo requires. Deep
binding makes it prefer its own functions.
"""

from __future__ import annotations

import os
import sys

_usual_flags = sys.getdlopenflags()
# Only glibc has deep binding; other systems look names up per library anyway.
sys.setdlopenflags(_usual_flags | getattr(os, "RTLD_DEEPBIND", 0))
try:
    from curl_cffi import requests
finally:
    sys.setdlopenflags(_usual_flags)

__all__ = ["requests"]
