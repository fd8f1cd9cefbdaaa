"""`python -m deployer` is `deploy`."""

from deployer.cli import entry

if __name__ == "__main__":
    entry()
