"""Turns questions in DNS's wire format into answers in it, with dnspython."""

from __future__ import annotations

import logging

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from deployer.sandbox.dns.answers import Answer, Answered, Code, View
from deployer.sandbox.dns.geography import client_region

_LOG = logging.getLogger(__name__)

_PAYLOAD = 1232
"""Bytes of an answer over UDP, for a client that says that it takes so many."""
_PAYLOAD_WITHOUT_EDNS = 512
_RCODES = {
    Code.NOERROR: dns.rcode.NOERROR,
    Code.NODATA: dns.rcode.NOERROR,
    Code.NXDOMAIN: dns.rcode.NXDOMAIN,
    Code.REFUSED: dns.rcode.REFUSED,
}


def reply(view: View | None, request: bytes, source: str, *, stream: bool) -> bytes | None:
    """The answer to a request from the address `source`; None when it deserves none.

    `view` is None as long as nothing is known: SERVFAIL. `stream` says that the answer may be long (TCP).
    """
    try:
        query = dns.message.from_wire(request)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR:
        return None
    response = dns.message.make_response(query, our_payload=_PAYLOAD)
    subnet = _client_subnet(query)
    if subnet is not None:
        answered = dns.edns.ECSOption(subnet.address, subnet.srclen, subnet.srclen)
        response.use_edns(0, payload=_PAYLOAD, options=[answered])
    payload = query.payload if query.edns >= 0 else _PAYLOAD_WITHOUT_EDNS
    longest = 65535 if stream else max(_PAYLOAD_WITHOUT_EDNS, min(payload, _PAYLOAD))
    try:
        _fill(response, view, query, subnet.address if subnet is not None else source)
        return response.to_wire(max_size=longest, prefer_truncation=True)
    except (dns.exception.DNSException, ValueError):
        # A record set whose values are none: what else is asked is answered all the same.
        _LOG.exception("no answer to %s", query.question)
        failed = dns.message.make_response(query, our_payload=_PAYLOAD)
        failed.set_rcode(dns.rcode.SERVFAIL)
        return failed.to_wire()


def _client_subnet(query: dns.message.Message) -> dns.edns.ECSOption | None:
    """EDNS client subnet (RFC 7871); an empty one asks not to be located by it."""
    found = next((option for option in query.options if isinstance(option, dns.edns.ECSOption)), None)
    return found if found is not None and found.srclen else None


def _fill(response: dns.message.Message, view: View | None, query: dns.message.Message, client: str) -> None:
    if query.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
        return
    if len(query.question) != 1:
        response.set_rcode(dns.rcode.FORMERR)
        return
    question = query.question[0]
    if question.rdclass != dns.rdataclass.IN or dns.rdatatype.is_metatype(question.rdtype):
        response.set_rcode(dns.rcode.REFUSED)
        return
    if view is None:
        response.set_rcode(dns.rcode.SERVFAIL)
        return
    type_ = dns.rdatatype.to_text(question.rdtype)
    answer = view.answer(question.name.to_text(), type_, client_region(client))
    response.set_rcode(_RCODES[answer.code])
    if answer.code is Code.REFUSED:
        return
    response.flags |= dns.flags.AA
    asked = question.name
    for number, record in enumerate(answer.records):
        # The name is given back as it was asked, capital letters included.
        response.answer.append(_rrset(record, asked if number == 0 else dns.name.from_text(record.name)))
    if not any(record.type == type_ for record in answer.records):
        response.authority += _start_of_authority(answer)


def _rrset(record: Answered, owner: dns.name.Name) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(
        owner, record.ttl, "IN", record.type, record.values, origin=dns.name.root, relativize=False
    )


def _start_of_authority(answer: Answer) -> list[dns.rrset.RRset]:
    """The zone's SOA, with the time that a negative answer may be kept (RFC 2308)."""
    if answer.zone is None:
        return []
    owner = dns.name.from_text(answer.zone.name)
    for record in answer.zone.records:
        if (record.name, record.type) == (answer.zone.name, "SOA"):
            found = _rrset(Answered(record.name, "SOA", record.ttl or 0, record.values), owner)
            found.update_ttl(found[0].minimum)  # the lesser of both
            return [found]
    return []
