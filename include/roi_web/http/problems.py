"""Errors as RFC 9457 describes them: one sentence, and what a program can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"

DOCUMENTATION = "docs"
"""Path below the application of the page that explains the types of problems."""


class Problem(BaseModel):
    """The body of every error response."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Address of the explanation of this kind of problem.")
    title: str = Field(description="The kind of problem, the same for all of its kind.")
    status: int = Field(description="Status of the response.")
    detail: str = Field(description="One sentence: what is wrong, and what is allowed or to do.")
    parameter: str | None = Field(None, description="The parameter that is wrong, if one is.")
    received: str | None = Field(None, description="Its value, shortened.")
    allowed: list[str] | None = Field(
        None, description="What is allowed instead, where that is a list; at most 100."
    )


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem.

    Attributes:
        name: Identifies it; the anchor of its explanation.
        status: Of the response.
        title: In a few words.
        advice: What a client does about it.
    """

    name: str
    status: int
    title: str
    advice: str


UNKNOWN_PARAMETER = ProblemType(
    "unknown-parameter",
    422,
    "Unknown parameter",
    "Correct its name; allowed has those there are.",
)
REPEATED_PARAMETER = ProblemType(
    "repeated-parameter", 422, "Repeated parameter", "Give it once; ask once for each value."
)
INVALID_PARAMETER = ProblemType(
    "invalid-parameter", 422, "Invalid parameter", "Correct its value, or add it if it is missing."
)
TOO_MANY_ROWS = ProblemType(
    "too-many-rows", 422, "Too many rows", "Narrow the question by the parameters that it names."
)

_OF_STATUS = {
    kind.status: kind
    for kind in (
        ProblemType(
            "not-logged-in", 401, "Not logged in", "Log in to Airflow, or send a token of it."
        ),
        ProblemType(
            "not-permitted",
            403,
            "Not permitted",
            "Get a new token; if that fails too, the user may not read the DAG.",
        ),
        ProblemType(
            "not-found",
            404,
            "Not found",
            "Correct the name or the path; allowed has known names.",
        ),
        ProblemType(
            "method-not-allowed",
            405,
            "Method not allowed",
            "Use GET or HEAD: all is read-only.",
        ),
        ProblemType(
            "not-acceptable",
            406,
            "Not acceptable",
            "Ask in Accept for a format that there is; allowed has them.",
        ),
        ProblemType(
            "too-many-requests", 429, "Too many requests", "Wait as long as Retry-After says."
        ),
        ProblemType(
            "internal-error", 500, "Internal error", "Report it with the log of the API server."
        ),
        ProblemType(
            "unavailable",
            503,
            "Unavailable",
            "Try again after Retry-After seconds; see the log if it stays.",
        ),
    )
}

PROBLEM_TYPES = sorted(
    (
        UNKNOWN_PARAMETER,
        REPEATED_PARAMETER,
        INVALID_PARAMETER,
        TOO_MANY_ROWS,
        *_OF_STATUS.values(),
    ),
    key=lambda kind: kind.status,
)

_MAX_ALLOWED = 100
_MAX_RECEIVED = 100


class ProblemError(HTTPException):
    """A request cannot be answered.

    Args:
        kind: What kind of problem it is, or only the status.
        detail: One sentence.
        parameter: The parameter that is wrong.
        received: Its value.
        allowed: What is allowed instead.
    """

    def __init__(
        self,
        kind: ProblemType | int,
        detail: str,
        *,
        parameter: str | None = None,
        received: str | None = None,
        allowed: Sequence[str] = (),
    ) -> None:
        super().__init__(kind if isinstance(kind, int) else kind.status, detail)
        self.kind = None if isinstance(kind, int) else kind
        self.members: dict[str, Any] = {
            "parameter": parameter,
            "received": received,
            "allowed": list(allowed) or None,
        }


def problem_response(
    status: int,
    detail: str,
    *,
    root: str | None = None,
    kind: ProblemType | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return a problem.

    Args:
        status: Of the response.
        detail: One sentence.
        root: Path of the application, whose page explains the types; None where it is not known.
        kind: What kind of problem it is; by default that of its status.
        headers: Further headers.
        members: Further members.
    """
    kind = kind or _OF_STATUS.get(status)
    members = dict(members or {})
    if members.get("received") is not None:
        members["received"] = members["received"][:_MAX_RECEIVED]
    if members.get("allowed") is not None:
        members["allowed"] = members["allowed"][:_MAX_ALLOWED]
    explained = kind is not None and root is not None
    problem = Problem(
        type=f"{root}/{DOCUMENTATION}#{kind.name}" if kind and explained else "about:blank",
        title=kind.title if kind and explained else HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        **members,
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True), status, dict(headers or {}), MEDIA_TYPE
    )
