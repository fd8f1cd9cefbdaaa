"""Authoritative name servers, asked over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from deployer.adapters import name_servers
from deployer.adapters.name_servers import AuthoritativeServers
from deployer.model.dns import Answered

HOST = "myapp.example.com"
Change = Callable[[dns.message.Message, dns.message.Message], None]


@contextmanager
def serving(change: Change = lambda query, answer: None) -> Iterator[str]:
    """A name server that knows one host; `change` makes its answers others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    data, client = server.recvfrom(4096)
                except OSError:
                    return
                if not data:
                    return
                query = dns.message.from_wire(data)
                answer = dns.message.make_response(query)
                answer.flags |= dns.flags.AA
                if query.question[0].name.to_text() == f"{HOST}.":
                    answer.answer.append(dns.rrset.from_text(f"{HOST}.", 60, "IN", "A", "192.0.2.1", "192.0.2.2"))
                else:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                change(query, answer)
                server.sendto(answer.to_wire(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        host, port = server.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", (host, port))
            thread.join(5)


def test_it_gives_addresses_and_how_long_they_hold() -> None:
    with serving() as server:
        assert AuthoritativeServers().ask(server, HOST) == Answered(frozenset({"192.0.2.1", "192.0.2.2"}), 60)


def test_a_host_that_is_not_there_has_no_addresses() -> None:
    with serving() as server:
        assert AuthoritativeServers().ask(server, f"no.{HOST}") == Answered(frozenset(), 0)


def test_it_says_where_the_client_is_and_asks_for_no_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_servers, "_TIMEOUT", 30)  # none is asked twice
    seen: list[dns.message.Message] = []
    with serving(lambda query, answer: seen.append(query)) as server:
        AuthoritativeServers().ask(server, HOST, "198.51.100.7")
        AuthoritativeServers().ask(server, HOST)
    (option,) = seen[0].options
    assert isinstance(option, dns.edns.ECSOption)
    assert (option.address, option.srclen) == ("198.51.100.7", 32)
    assert not seen[0].flags & dns.flags.RD
    assert seen[1].options == ()


@pytest.mark.parametrize("rcode", [dns.rcode.REFUSED, dns.rcode.SERVFAIL])
def test_a_server_that_refuses_has_not_answered(rcode: dns.rcode.Rcode) -> None:
    with serving(lambda query, answer: answer.set_rcode(rcode)) as server:
        assert AuthoritativeServers().ask(server, HOST) is None


def test_an_answer_from_a_cache_is_none() -> None:
    def from_cache(query: dns.message.Message, answer: dns.message.Message) -> None:
        answer.flags &= ~dns.flags.AA

    with serving(from_cache) as server:
        assert AuthoritativeServers().ask(server, HOST) is None


@pytest.mark.parametrize("server", ["no-such-host.invalid", "127.0.0.1:port", "127.0.0.1:1"])
def test_a_server_that_is_not_there_has_not_answered(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_servers, "_TIMEOUT", 0.1)
    assert AuthoritativeServers().ask(server, HOST) is None


def test_a_host_that_is_no_name_is_not_asked_for() -> None:
    with serving() as server:
        assert AuthoritativeServers().ask(server, "a" * 300) is None
