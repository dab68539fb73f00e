"""The environment of every process that a local installation starts: named variables, no others.

This lists the variables to keep, not those to drop: nobody knows all variables that some library
reads. Those kept describe the person, the machine and its network, never how anything is computed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_OWN_PREFIX = "ROI_"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_KEPT = {
    # The person and the terminal.
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "COLUMNS", "LINES", "NO_COLOR"),
    *("EDITOR", "VISUAL", "PAGER"),
    # The machine.
    *("PATH", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "OMP_NUM_THREADS"),
    # Its GPUs, and how TensorFlow shares memory and cores.
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH"),
    *("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
    *("TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    # The way to other machines.
    *(spelling for name in _PROXIES for spelling in (name, name.upper())),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
_THIS_MACHINE = "127.0.0.1"


def process_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for a process of the installation.

    Args:
        inherited: The environment of the process that starts it.
    """
    environment = {
        name: value
        for name, value in inherited.items()
        if name in _KEPT or name.startswith(_OWN_PREFIX)
    }
    # A proxy is for other machines, not for our processes that call each other.
    direct = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    if _THIS_MACHINE not in direct.split(","):
        direct = ",".join(filter(None, [direct, _THIS_MACHINE]))
    return environment | {
        "no_proxy": direct,
        "NO_PROXY": direct,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # Python imports no module from the current folder.
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
