"""A Docker credential helper that asks the deployment that started it; run as a program, with nothing but the standard
library: `python -IS credential_client.py SOCKET get`.

See https://github.com/docker/docker-credential-helpers#development for what Docker expects.
"""

import json
import socket
import sys

NOT_FOUND = "credentials not found in native keychain"


def main(arguments: list[str]) -> int:
    """Answer one question of Docker's: `get` (a registry's address on stdin), or `list`; the rest is ignored."""
    path, action = arguments
    if action == "list":
        print("{}")  # noqa: T201 -- this is the program's output
        return 0
    if action != "get":
        return 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.sendall(sys.stdin.readline().strip().encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            login = json.load(answer)
    print(json.dumps(login) if login else NOT_FOUND)  # noqa: T201
    return 0 if login else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
