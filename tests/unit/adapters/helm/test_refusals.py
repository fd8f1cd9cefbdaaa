import pytest

from deployer.adapters.helm.refusals import message_of, readable, refusal
from deployer.errors import ConfigurationError, DeployError, DeploymentFailed, UnreachableError, UsageError

UPGRADE = "Error: UPGRADE FAILED: "


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        # As Helm 3.22 and 4.3 wrote them.
        (
            'Error: Unable to continue with install: ConfigMap "a" in namespace "n" exists and cannot be imported into'
            " the current release: invalid ownership metadata; label validation error",
            ConfigurationError,
            "exists already",
        ),
        (
            UPGRADE + 'create: failed to create: Secret "sh.helm.release.v1.app.v1" is invalid: data: Too long: may'
            " not be more than 1048576 bytes",
            ConfigurationError,
            "larger than a cluster can store",
        ),
        (UPGRADE + "failed to create: request entity too large: limit is 3145728", ConfigurationError, "larger"),
        (UPGRADE + "failed to create: etcdserver: request is too large", ConfigurationError, "larger"),
        (
            UPGRADE
            + 'cannot patch "app" with kind Deployment: Deployment.apps "app" is invalid: spec.selector: Invalid'
            " value: {}: field is immutable",
            ConfigurationError,
            "cannot be changed in place",
        ),
        (
            UPGRADE + 'cannot patch "app" with kind StatefulSet: StatefulSet.apps "app" is invalid: spec: Forbidden:'
            " updates to statefulset spec for fields other than 'replicas' are forbidden",
            ConfigurationError,
            "cannot be changed in place",
        ),
        (
            UPGRADE + 'resource mapping not found for name: "a" namespace: "" from "": no matches for kind "Widget" in'
            ' version "example.test/v1"',
            ConfigurationError,
            "does not know a kind",
        ),
        (UPGRADE + 'pods "a" is forbidden: exceeded quota: few', ConfigurationError, "quota"),
        ('Error: create: failed to create: namespaces "n" not found', ConfigurationError, "namespace does not exist"),
        (UPGRADE + "pre-upgrade hooks failed: 1 error occurred:\n\t* job a failed: x", DeploymentFailed, "hook"),
        (UPGRADE + "failed post-upgrade: resource Job/n/a not ready. status: Failed", DeploymentFailed, "hook"),
        (UPGRADE + "timed out waiting for the condition", DeploymentFailed, "time was up"),
        (
            'Error: query: failed to query with labels: secrets is forbidden: User "anna" cannot list resource'
            ' "secrets" in API group "" in the namespace "n"',
            UnreachableError,
            "not allowed",
        ),
        (
            "Error: Kubernetes cluster unreachable: the server has asked for the client to provide credentials:"
            " Unauthorized",
            UnreachableError,
            "credentials",
        ),
        (
            'Error: Kubernetes cluster unreachable: Get "https://a/version": dial tcp 127.0.0.1:1: connect: connection'
            " refused",
            UnreachableError,
            "does not answer",
        ),
        (UPGRADE + "etcdserver: leader changed", UnreachableError, "does not answer"),
        (UPGRADE + 'Service "a" is invalid: spec.ports: Required value', ConfigurationError, "refuses a manifest"),
        ("Error: release: not found", UsageError, "no such release"),
        ("Error: release has no 9 version", UsageError, "no such release"),
        ("Error: release name is invalid: A_b", ConfigurationError, "cannot be that of a Helm release"),
        (
            "Error: YAML parse error on deployer/templates/manifests.yaml: yaml: line 1: did not find x",
            ConfigurationError,
            "refuses a manifest",
        ),
        (UPGRADE + "something never seen", DeploymentFailed, "helm upgrade failed"),
        ("", DeploymentFailed, "gave no reason"),
    ],
)
def test_what_helm_says_is_told_in_our_words(stderr: str, kind: type[DeployError], words: str) -> None:
    error = refusal("upgrade", stderr, str)
    assert type(error) is kind
    assert words in str(error)


def test_helms_words_are_masked_and_bounded() -> None:
    error = refusal(
        "upgrade", f"Error: value hunter2 is bad {'x' * 10_000}", lambda text: text.replace("hunter2", "***")
    )
    assert "hunter2" not in str(error)
    assert "value *** is bad" in str(error)
    assert len(str(error)) < 5000


def test_warnings_before_the_error_are_left_out() -> None:
    stderr = 'I1121 07:17:56.407394   12372 warnings.go:107] "Warning: old"\nError: UPGRADE FAILED: new'
    assert message_of(stderr) == "UPGRADE FAILED: new"


def test_lines_of_helms_log_are_made_readable() -> None:
    line = 'I1121 07:17:56.407394   12372 warnings.go:107] "Warning: annotation \\"a\\" is deprecated"'
    assert readable(line) == 'Warning: annotation "a" is deprecated'
