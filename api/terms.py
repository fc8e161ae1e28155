"""Licence and attribution of what an answer holds, when not everything in it stands under the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which licence (an IRI or an identifier) data are, and who is to be named."""

    license: str = ""
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class TermsOfAnswer:
    """The terms of an answer: of all in it, or `parts`, the properties under each where they differ."""

    license: str | None
    attribution: str
    parts: Mapping[Terms, tuple[str, ...]]

    def members(self) -> dict[str, Any]:
        """What stands in the payload.

        `license` is null where there are several; `attribution` names everybody; `terms`, only then, tells
        which property is under which.
        """
        known: dict[str, Any] = {"license": self.license, "attribution": self.attribution}
        if len(self.parts) > 1:
            known["terms"] = [
                {"license": each.license, "attribution": each.attribution, "properties": list(names)}
                for each, names in self.parts.items()
            ]
        return known

    def links(self) -> list[str]:
        """Link headers (rel=license) for licences that are named by their address."""
        found = dict.fromkeys(each.license for each in self.parts)
        return [f'<{each}>; rel="license"' for each in found if each.startswith(("http://", "https://"))]


def terms_of_all(terms: Mapping[str, Terms]) -> TermsOfAnswer:
    """The terms of an answer with these properties, at least one, in their order."""
    parts: dict[Terms, tuple[str, ...]] = {}
    for name, each in terms.items():
        parts[each] = (*parts.get(each, ()), name)
    licenses = {each.license for each in parts}
    return TermsOfAnswer(
        licenses.pop() if len(licenses) == 1 else None,
        "; ".join(_once(each.attribution for each in parts)),
        parts,
    )


def terms_alone(terms: Terms) -> TermsOfAnswer:
    """The terms of an answer with one kind of thing in it."""
    return TermsOfAnswer(terms.license, terms.attribution, {terms: ()})


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, texts)))
