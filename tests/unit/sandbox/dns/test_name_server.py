"""The name server, asked by dnspython's client over real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from deployer.sandbox.dns.answers import View
from deployer.sandbox.dns.records import RecordSet
from deployer.sandbox.dns.server import serving
from deployer.sandbox.dns.wire import reply
from deployer.sandbox.name_server import answers_for
from tests.unit.sandbox.dns.world import REGIONS, latency, says, view

BIG = RecordSet("big.deploy.test.", "TXT", 60, tuple(f'"{number:0200}"' for number in range(20)))
BROKEN = RecordSet("broken.deploy.test.", "MX", 60, ("nonsense",))
TEXT = RecordSet("text.deploy.test.", "TXT", 30, ('"one" "two"', '"a \\"quoted\\" word"'))


@dataclass
class Server:
    port: int
    view: View | None

    def ask(self, name: str, type_: str = "A", source: str = "127.0.31.1", tcp: bool = False, **more: object) -> object:
        query = dns.message.make_query(name, type_, **more)  # type: ignore[arg-type]
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(query, "127.0.0.1", port=self.port, source=source, timeout=5)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(0, view(*(latency(region) for region in REGIONS), BIG, BROKEN, TEXT))
    ready, loop, end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with serving("127.0.0.1", 0, lambda: made.view) as made.port:
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    assert ready.wait(10)
    yield made
    loop.call_soon_threadsafe(end.set)
    thread.join()
    loop.close()


def lines(response: object) -> list[str]:
    assert isinstance(response, dns.message.Message)
    return [line for rrset in response.answer for line in rrset.to_text().splitlines()]


@says("C8")
@pytest.mark.parametrize("tcp", [False, True])
def test_clients_are_sent_to_their_region(line: str, server: Server, tcp: bool) -> None:
    for number in (1, 2, 3):
        response = server.ask("MyApp.deploy.test", source=f"127.0.31.{number}", tcp=tcp)
        assert lines(response) == [f"MyApp.deploy.test. 60 IN A 127.0.31.{number}"]
        assert isinstance(response, dns.message.Message)
        assert response.flags & dns.flags.AA
        assert not response.flags & dns.flags.RA


@says("C9")
def test_edns_client_subnet_says_where_the_client_is(line: str, server: Server) -> None:
    option = dns.edns.ECSOption("127.0.31.3", 32)
    response = server.ask("myapp.deploy.test", use_edns=0, options=[option])
    assert lines(response) == ["myapp.deploy.test. 60 IN A 127.0.31.3"]
    assert isinstance(response, dns.message.Message)
    assert [str(each) for each in response.options] == ["ECS 127.0.31.3/32 scope/32"]
    private = server.ask("myapp.deploy.test", use_edns=0, options=[dns.edns.ECSOption("0.0.0.0", 0)])
    assert lines(private) == ["myapp.deploy.test. 60 IN A 127.0.31.1"]


@says("A4")
def test_the_zones_own_records_and_negative_answers(line: str, server: Server) -> None:
    assert len(lines(server.ask("deploy.test", "NS"))) == 4
    soa = "deploy.test. 900 IN SOA ns-0.awsdns-64.com. hostmaster.example.com. 1 7200 900 1209600 86400"
    assert lines(server.ask("deploy.test", "SOA")) == [soa]
    for name, code in (("gone.deploy.test", dns.rcode.NXDOMAIN), ("text.deploy.test", dns.rcode.NOERROR)):
        response = server.ask(name)
        assert isinstance(response, dns.message.Message)
        assert (response.rcode(), response.answer) == (code, [])
        assert [rrset.to_text() for rrset in response.authority] == [soa]


def test_text_is_given_as_it_is(server: Server) -> None:
    found = lines(server.ask("text.deploy.test", "TXT"))
    assert sorted(found) == [
        'text.deploy.test. 30 IN TXT "a \\"quoted\\" word"',
        'text.deploy.test. 30 IN TXT "one" "two"',
    ]


def test_a_long_answer_comes_over_tcp(server: Server) -> None:
    short = server.ask("big.deploy.test", "TXT", use_edns=False)
    assert isinstance(short, dns.message.Message)
    assert short.flags & dns.flags.TC
    assert len(lines(server.ask("big.deploy.test", "TXT", tcp=True))) == 20


@pytest.mark.parametrize(
    ("name", "type_", "rdclass", "code"),
    [
        ("example.com", "A", "IN", dns.rcode.REFUSED),
        ("deploy.test", "ANY", "IN", dns.rcode.REFUSED),
        ("deploy.test", "AXFR", "IN", dns.rcode.REFUSED),
        ("version.bind", "TXT", "CH", dns.rcode.REFUSED),
        ("broken.deploy.test", "MX", "IN", dns.rcode.SERVFAIL),
    ],
)
def test_what_is_not_answered(name: str, type_: str, rdclass: str, code: dns.rcode.Rcode) -> None:
    query = dns.message.make_query(name, type_, rdclass)
    answered = reply(view(BROKEN), query.to_wire(), "127.0.31.1", stream=True)
    assert answered is not None
    assert dns.message.from_wire(answered).rcode() == code


def test_nonsense_gets_no_answer_and_does_no_harm(server: Server) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        for nonsense in (b"", b"\0", b"\xff" * 12, b"x" * 600):
            client.sendto(nonsense, ("127.0.0.1", server.port))
    response = dns.message.make_response(dns.message.make_query("deploy.test", "A"))
    assert reply(view(), response.to_wire(), "127.0.31.1", stream=False) is None
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        stream.sendall(b"\0\5hello")
        assert stream.recv(1) == b""
    assert lines(server.ask("myapp.deploy.test"))


def test_its_health_is_that_it_knows_the_zone(server: Server) -> None:
    assert answers_for("deploy.test", "127.0.0.1", server.port) is None
    assert "no records of other.test (code 5)" in str(answers_for("other.test", "127.0.0.1", server.port))
    known, server.view = server.view, None
    assert "no records of deploy.test (code 2)" in str(answers_for("deploy.test", "127.0.0.1", server.port))
    server.view = known
    with socket.socket(type=socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    assert "does not answer" in str(answers_for("deploy.test", "127.0.0.1", port))
