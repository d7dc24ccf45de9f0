"""Switches off what native libraries do on their own.

The libraries read these variables when they are loaded, so the package sets them when it is
imported, before it imports any of them.
"""

import os

_FORCED = {
    # From version 1.29 on, onnxruntime reports the device, the model's file name and its hash to
    # its maker, and keeps an identifier under the home folder.
    "ORT_DISABLE_TELEMETRY": "1",
    "ORT_TELEMETRY_DISABLED": "1",  # its name in some releases
    # OpenCV compiles kernels for a GPU that nothing here uses, and caches them in the home folder.
    "OPENCV_OPENCL_RUNTIME": "disabled",
    "OPENCV_OPENCL_CACHE_ENABLE": "0",
    # numpy's matrix products would start a thread for each core, which wait in a busy loop.
    "OPENBLAS_NUM_THREADS": "1",
    # OpenCV would divide the resizing of one frame among threads: to wake them costs more than they
    # save, and the workers use all processors anyway.
    "OPENCV_FOR_THREADS_NUM": "1",
}


def set_library_environment() -> None:
    """Set the variables; no setting of the operator turns this on again."""
    os.environ.update(_FORCED)
