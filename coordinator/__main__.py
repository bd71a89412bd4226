"""`python -m coordinator` is `clippy-coordinator`."""

import sys

from coordinator.cli import main

sys.exit(main())
