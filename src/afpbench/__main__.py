"""`python -m afpbench` is the console command `afpbench`."""

import sys

from .commands.main import main

sys.exit(main())
