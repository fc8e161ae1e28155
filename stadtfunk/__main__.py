"""`python -m stadtfunk`."""

import sys

from stadtfunk.cli import main

sys.exit(main())
