import subprocess
import sys


def test_import_needs_nothing_heavy():
    # Importing these is what must not happen: each is needed by some functions only.
    code = """
import sys
for name in ["matplotlib", "medmnist", "modAL", "pandas", "PIL", "torchvision"]:
    sys.modules[name] = None
from noisyactive.datasets import *
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
