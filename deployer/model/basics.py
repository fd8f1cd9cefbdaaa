"""What all other nouns are made of: JSON objects, secrets, targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployer.model.branches import app_of, branch_of

Json = dict[str, Any]
"""A JSON object: a Kubernetes manifest, a document of an API."""


FROM_ENVIRONMENT = "the environment variable"
"""How the names of values begin that come from the environment of this process: masked, but nobody's encrypted ones."""


def pascal_case(name: str) -> str:
    """`aws_ecr_prefix` → `AwsEcrPrefix`."""
    return "".join(part.capitalize() for part in name.split("_"))


STRICT: Any = {"alias_generator": pascal_case, "extra": "forbid", "populate_by_name": False}
OPEN: Any = {"alias_generator": pascal_case, "extra": "ignore", "populate_by_name": False}
"""How pydantic reads a dataclass: PascalCase keys, unknown ones refused (STRICT) or left to others (OPEN)."""


class Secret:
    """A text that must not be shown: `str`, `repr` and formatting redact it, only `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself. Whoever calls this answers for where it goes."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """A text in the user's file; pydantic is imported only where files are validated."""
        from pydantic_core import core_schema

        return core_schema.union_schema(
            [
                core_schema.is_instance_schema(cls),
                core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True)),
            ],
            mode="left_to_right",
        )


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One application in one region of one stage. That of a branch is called `myapp@feature/x` (`model.branches`)."""

    stage: str
    region: str
    application: str

    @property
    def app(self) -> str:
        """The app that has a file: the application's name without its branch."""
        return app_of(self.application)

    @property
    def branch(self) -> str | None:
        """The branch that the application is deployed from beside the app itself; None for the app itself."""
        return branch_of(self.application)

    @property
    def environment(self) -> str:
        """As an app's `Environments` spells it: `prod.london`."""
        return f"{self.stage}.{self.region}"

    def __str__(self) -> str:
        return f"{self.stage} {self.region} {self.application}"
