"""DNS and health checks: one process, which answers from the AWS endpoint's records as Route 53 would."""

from __future__ import annotations

import secrets
import socket
import struct
from pathlib import Path

from deployer.sandbox import simulation
from deployer.sandbox.layout import AWS_ENDPOINT, DNS_DOMAIN, DNS_PORT, SHARED_ADDRESS
from deployer.sandbox.processes import Daemon, Machine, ensure

_SOA = 6
_IN = 1
_TIMEOUT = 2.0


def ensure_name_server(machine: Machine, python: Path) -> bool:
    """Have the name server and the health checkers running; True when they were started now.

    `python` is the interpreter of the virtual environment that has dnspython. The AWS endpoint has been filled.
    """
    program = simulation.program(machine.layout)
    command: list[str | Path] = [python, "-I", program, "dns", SHARED_ADDRESS, str(DNS_PORT), AWS_ENDPOINT]
    return ensure(machine, Daemon("dns", command, name_server_health))


def name_server_health() -> str | None:
    """None when the name server answers for the sandbox's domain, else why not."""
    return answers_for(DNS_DOMAIN, SHARED_ADDRESS, DNS_PORT)


def answers_for(zone: str, address: str, port: int) -> str | None:
    """None when the server there has a SOA record of the zone, else why not (RFC 1035, section 4)."""
    number = secrets.randbits(16)
    name = b"".join(struct.pack("!B", len(label)) + label.encode() for label in zone.split(".")) + b"\0"
    query = struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0) + name + struct.pack("!HH", _SOA, _IN)
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(_TIMEOUT)
        try:
            client.connect((address, port))
            client.send(query)
            reply = client.recv(4096)
        except OSError as error:
            return f"{address}:{port} does not answer: {error.strerror or error}"
    if len(reply) < len(query):
        return f"{address}:{port} answers nonsense"
    answered, flags, _, count = struct.unpack("!HHHH", reply[:8])
    if answered != number or flags & 0xF or not count:
        return f"{address}:{port} has no records of {zone} (code {flags & 0xF})"
    return None
