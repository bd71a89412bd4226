"""`python -m agent` is `clippy`."""

import sys

from agent.cli import main

sys.exit(main())
