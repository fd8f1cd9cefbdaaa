from deployer.adapters.helm.conversion import converted
from deployer.model import Json

MANIFEST = """---
# Source: a
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: a, annotations: {date: 2026-01-01, yes: "no"}}
---
# nothing
---
{"apiVersion":"v1","kind":"ConfigMap","data":{"big":12345678901234567890}}
"""


def modern(manifest: Json) -> Json:
    if manifest["apiVersion"] == "extensions/v1beta1":
        manifest["apiVersion"] = "apps/v1"
    return manifest


def test_documents_that_change_are_written_anew() -> None:
    result = converted(MANIFEST, modern)
    assert '"apiVersion": "apps/v1"' in result
    assert '"date": "2026-01-01"' in result
    assert "12345678901234567890" in result
    assert result.count("---\n") == 2


def test_a_text_that_needs_nothing_stays_as_it_is() -> None:
    assert converted(MANIFEST, lambda manifest: manifest) is MANIFEST
    assert converted("", modern) == ""
