"""The YAML in which Helm stores a release's manifests, read as Kubernetes reads it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from deployer.errors import ConfigurationError
from deployer.model.basics import Json

_TEXTS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
"""What YAML 1.1 takes for dates, and for a key `=`; Go's reader takes both for texts, as it does `12:30`."""

_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
"""Numbers of YAML 1.1, but for those to the base of sixty."""


def stored_documents(text: str, what: str = "a stored manifest") -> list[Json]:
    """Those documents of the text that are mappings. Raises ConfigurationError for what cannot be read, as `what`."""
    import yaml

    try:
        return [one for one in yaml.load_all(text, Loader=_loader()) if isinstance(one, dict)]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigurationError(f"{what} cannot be read", why=f"it is not YAML{place}") from None


@cache
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, _NUMBERS.get(tag, pattern)) for tag, pattern in resolvers if tag not in _TEXTS]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    return Loader
