"""What native libraries do not do on their own."""

import subprocess
import sys


def test_opencv_divides_no_frame_among_threads() -> None:
    """To wake them costs more than they save, and the workers use all processors anyway."""
    code = "import agent, cv2; print(cv2.getNumThreads())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "1"
