"""Other names for the same parameter: the tutorial's and the library's, whichever one remembers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

P = ParamSpec("P")
R = TypeVar("R")
Covariant = TypeVar("Covariant", covariant=True)


class WithSynonyms(Protocol[P, Covariant]):
    """A function as type checkers see it: editors show its own names, and others pass."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Covariant: ...
    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> Covariant: ...


def synonyms(**name_of: str) -> Callable[[Callable[P, R]], WithSynonyms[P, R]]:
    """Let a function take parameters by a second name, ``synonym="parameter"``.

    ``inspect.signature``, which notebooks ask when they complete names, has both.

    Raises
    ------
    TypeError
        At a call that gives a parameter by both of its names.

    Examples
    --------
    >>> @synonyms(k="k_neighbors")
    ... def search(query, k_neighbors=5):
    ...     return k_neighbors
    >>> search("a", k=3)
    3
    >>> search("a", 2, k=3)
    Traceback (most recent call last):
    TypeError: search() takes either k_neighbors or k, which are the same; both were given.
    """

    def decorate(function: Callable[P, R]) -> WithSynonyms[P, R]:
        signature = inspect.signature(function)
        own = list(signature.parameters)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> R:
            for synonym, name in name_of.items():
                if synonym in kwargs:
                    if name in kwargs or name in own[: len(args)]:
                        raise TypeError(
                            f"{function.__name__}() takes either {name} or {synonym}, which are "
                            "the same; both were given."
                        )
                    kwargs[name] = kwargs.pop(synonym)
            return function(*args, **kwargs)

        more = [
            signature.parameters[name].replace(
                name=synonym, kind=inspect.Parameter.KEYWORD_ONLY, default=None
            )
            for synonym, name in name_of.items()
        ]
        call.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*signature.parameters.values(), *more]
        )
        return cast("WithSynonyms[P, R]", call)

    return decorate
