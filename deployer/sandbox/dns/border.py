"""moto's server, with the Route 53 operations that matter to a deployment done by this simulation's rules.

moto keeps the data and does all other operations: here its Route 53 handlers get other methods, and a few paths of its
own hand the data to the name servers.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from deployer.sandbox.dns import batches, check_rules, feed, moto_data
from deployer.sandbox.dns.batches import Refused
from deployer.sandbox.dns.ledger import Change, Ledger
from deployer.sandbox.dns.records import Zone, normal

_LOOK_AGAIN = 0.5
_MOST_RECORDS = 300

Start = Callable[[str, list[tuple[str, str]]], Any]


def serve(address: str, port: int) -> None:
    """Serve the AWS endpoint, until the process is ended."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import run_simple

    class Handler(MotoRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            if not self.path.startswith(feed.PREFIX):  # it would fill the log
                super().log_request(code, size)

    ledger = Ledger()
    install(ledger)
    application = Border(DomainDispatcherApplication(create_backend_app), ledger)
    run_simple(address, port, application, threaded=True, request_handler=Handler)


class Border:
    """A WSGI application before moto's: hands out the state, takes in observations, and passes on all else."""

    def __init__(self, moto: Any, ledger: Ledger) -> None:
        self._moto = moto
        self._ledger = ledger

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """WSGI (PEP 3333)."""
        path = environ.get("PATH_INFO", "")
        if path == f"{feed.PREFIX}/state":
            return self._state(environ, start_response)
        if path == f"{feed.PREFIX}/observations":
            news = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
            with self._ledger.lock:
                self._ledger.observe(news)
            return _json(start_response, {})
        if "/elasticloadbalancing/" in environ.get("HTTP_AUTHORIZATION", ""):
            moto_data.place_load_balancers()
        found: Iterable[bytes] = self._moto(environ, start_response)
        return found

    def _state(self, environ: Mapping[str, Any], start_response: Start) -> Iterable[bytes]:
        """The state, as soon as it is another one than the caller's."""
        query = parse_qs(environ.get("QUERY_STRING", ""))
        known, ledger = query.get("version", [""])[0], self._ledger
        with ledger.lock:
            if query.get("process") == [ledger.process]:  # a serial of an earlier endpoint says nothing
                ledger.fetched(int(query["serial"][0]))
            for _ in range(int(feed.WAIT / _LOOK_AGAIN)):
                state = moto_data.snapshot(ledger).json()
                version = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:16]
                if version != known:
                    return _json(start_response, {"version": version, "state": state})
                ledger.lock.wait(_LOOK_AGAIN)
        start_response("204 No Content", [])
        return []


def _json(start_response: Start, content: Any) -> list[bytes]:
    body = json.dumps(content).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def install(ledger: Ledger) -> None:
    """Give moto's Route 53 handlers the methods of this simulation."""
    from moto.core.responses import ActionResult, EmptyResult
    from moto.route53.exceptions import Route53ClientError
    from moto.route53.responses import Route53

    def handler(operation: Callable[[Any, Ledger], Any]) -> Callable[[Any], Any]:
        def handle(request: Any) -> Any:
            try:
                with ledger.lock:
                    result = operation(request, ledger)
            except Refused as refused:
                raise Route53ClientError(refused.code, refused.message) from refused
            return EmptyResult() if result is None else ActionResult(result)

        return handle

    for name, operation in _OPERATIONS.items():
        if not hasattr(Route53, name):
            raise RuntimeError(f"this moto has no operation {name}")
        setattr(Route53, name, handler(operation))


def _change_resource_record_sets(request: Any, ledger: Ledger) -> dict[str, Any]:
    zone = moto_data.backend().get_hosted_zone(request._get_param("HostedZoneId"))
    held = Zone(zone.resource_id, normal(zone.name), tuple(moto_data.record_set(each) for each in zone.rrsets))
    around = batches.Surroundings(moto_data.load_balancers(), ledger.checks.keys())
    after = batches.changed(held, request._get_param("ChangeBatch.Changes"), around)
    zone.rrsets = [moto_data.moto_record(record) for record in after]
    return {"ChangeInfo": _change_info(ledger, ledger.changed(request._get_param("ChangeBatch.Comment")))}


def _get_change(request: Any, ledger: Ledger) -> dict[str, Any]:
    name = request._get_param("Id")
    change = ledger.change(name)
    if change is None:
        raise Refused("NoSuchChange", f"Could not find resource with ID: {name}")
    return {"ChangeInfo": _change_info(ledger, change)}


def _change_info(ledger: Ledger, change: Change) -> dict[str, Any]:
    status = "INSYNC" if ledger.in_sync(change) else "PENDING"
    info = {"Id": f"/change/{change.id}", "Status": status, "SubmittedAt": change.submitted}
    return {**info, "Comment": change.comment} if change.comment else info


def _list_resource_record_sets(request: Any, _: Ledger) -> dict[str, Any]:
    zone = moto_data.backend().get_hosted_zone(request._get_param("HostedZoneId"))
    start = [request._get_param(f"StartRecord{part}") for part in ("Name", "Type", "Identifier")]
    if start[1] and not start[0]:
        raise Refused("InvalidInput", "The input is not valid: a type to start from needs a name")
    most = min(request._get_int_param("MaxItems", _MOST_RECORDS), _MOST_RECORDS)
    first = (_sorted_name(normal(start[0])) if start[0] else "", start[1] or "", start[2] or "")
    found = sorted((each for each in zone.rrsets if _place(each) >= first), key=_place)
    shown = [moto_data.moto_record(moto_data.record_set(each)) for each in found[:most]]
    result = {"ResourceRecordSets": shown, "IsTruncated": len(found) > most, "MaxItems": most}
    if len(found) > most:
        following = found[most]
        result |= {"NextRecordName": following.name, "NextRecordType": following.type}
        if following.set_identifier:
            result["NextRecordIdentifier"] = following.set_identifier
    return result


def _place(record: Any) -> tuple[str, str, str]:
    return _sorted_name(normal(record.name)), record.type, record.set_identifier or ""


def _sorted_name(name: str) -> str:
    return ".".join(reversed(name.rstrip(".").split("."))) + "."


def _create_health_check(request: Any, ledger: Ledger) -> dict[str, Any]:
    reference, config = request._get_param("CallerReference"), request._get_param("HealthCheckConfig")
    check = check_rules.checked(str(uuid.uuid4()), config)
    before = check_rules.created(reference, check, ledger.references)
    if before is None:
        from moto.route53.models import HealthCheck as MotoHealthCheck

        made = MotoHealthCheck(check.id, reference, {"measure_latency": config.get("MeasureLatency")})
        moto_data.show(made, check)
        moto_data.backend().health_checks[check.id] = made
        ledger.put(check, reference)
        before = check
    location = f"https://route53.amazonaws.com/2013-04-01/healthcheck/{before.id}"
    return {"HealthCheck": moto_data.backend().get_health_check(before.id), "Location": location}


def _update_health_check(request: Any, ledger: Ledger) -> dict[str, Any]:
    shown = moto_data.backend().get_health_check(request._get_param("HealthCheckId"))
    names = [
        *("HealthCheckVersion", "IPAddress", "Port", "ResourcePath", "FullyQualifiedDomainName", "SearchString"),
        *("FailureThreshold", "Inverted", "Disabled", "EnableSNI", "Regions", "ResetElements"),
    ]
    check = check_rules.updated(ledger.checks[shown.id], {name: request._get_param(name) for name in names})
    moto_data.show(shown, check)
    ledger.put(check)
    return {"HealthCheck": shown}


def _delete_health_check(request: Any, ledger: Ledger) -> None:
    backend = moto_data.backend()
    name = backend.get_health_check(request._get_param("HealthCheckId")).id
    del backend.health_checks[name]
    backend.resource_tags.pop(name, None)
    ledger.remove(name)


def _get_health_check_status(request: Any, ledger: Ledger) -> dict[str, Any]:
    check = moto_data.backend().get_health_check(request._get_param("HealthCheckId"))
    return {"HealthCheckObservations": ledger.observations(check.id)}


_OPERATIONS: Mapping[str, Callable[[Any, Ledger], Any]] = {
    "change_resource_record_sets": _change_resource_record_sets,
    "get_change": _get_change,
    "list_resource_record_sets": _list_resource_record_sets,
    "create_health_check": _create_health_check,
    "update_health_check": _update_health_check,
    "delete_health_check": _delete_health_check,
    "get_health_check_status": _get_health_check_status,
}
