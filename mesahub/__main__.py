"""``python -m mesahub``: the command line."""

import sys

from mesahub.cli import main

sys.exit(main())
