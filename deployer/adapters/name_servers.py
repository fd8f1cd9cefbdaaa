"""Asks authoritative name servers directly, with dnspython."""

from __future__ import annotations

import threading

from deployer.model.dns import Answered

_TIMEOUT = 2.0
_TRIES = 2
_PORT = 53
_WHOLE = 32


class AuthoritativeServers:
    """Fills the port `NameServers`: over UDP, and over TCP where an answer does not fit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def ask(self, server: str, host: str, client: str | None = None) -> Answered | None:
        """What a server answers for a host; None when it does not answer, or not with authority. Never raises."""
        import dns.edns
        import dns.exception
        import dns.flags
        import dns.message
        import dns.query
        import dns.rcode
        import dns.rdatatype

        try:
            address, port = self._address(server)
            options: list[dns.edns.Option] = (
                [dns.edns.ECSOption(client, _WHOLE)] if client and ":" not in client else []
            )
            query = dns.message.make_query(host, dns.rdatatype.A, use_edns=0, options=options)
            query.flags &= ~dns.flags.RD
        except (OSError, ValueError, dns.exception.DNSException):
            return None
        for _ in range(_TRIES):
            try:
                answer, _ = dns.query.udp_with_fallback(query, address, _TIMEOUT, port)
            except (OSError, EOFError, dns.exception.DNSException):
                continue
            if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not answer.flags & dns.flags.AA:
                return None
            found = [one for one in answer.answer if one.rdtype == dns.rdatatype.A]
            addresses = frozenset(item.address for one in found for item in one)
            return Answered(addresses, min((one.ttl for one in found), default=0))
        return None

    def _address(self, server: str) -> tuple[str, int]:
        """An address and port: a server's name is looked up once."""
        import socket

        name, colon, port = server.rpartition(":")
        if not colon:
            name, port = server, str(_PORT)
        with self._lock:
            if name not in self._known:
                self._known[name] = str(socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0])
            return self._known[name], int(port)
