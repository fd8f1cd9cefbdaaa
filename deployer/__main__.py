"""`python -m deployer` is `deploy`."""

import sys

from deployer.cli import main

if __name__ == "__main__":
    sys.exit(main())
