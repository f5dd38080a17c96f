"""The options `region` and `region_of` of loss terms. Standard library only: a study is checked with it."""

from collections.abc import Iterable, Mapping


def region_names(term: Mapping) -> tuple[str, ...]:
    """The structures or labels that a term is limited to; none for everywhere, for the body, or for classes of a
    segmenter (`region_by`), which need no label maps."""
    by_labels = term.get("region", "all") != "all" and not term.get("region_by")
    return tuple(term.get("region_of") or ()) if by_labels else ()


def label_regions(terms: Iterable[Mapping]) -> list[tuple[str, ...]]:
    """The groups of names that the terms of a loss are limited to, each once, in order.

    The mask that comes with patches has the body in channel 0 and the i-th of these in channel i + 1.
    """
    return [group for group in dict.fromkeys(map(region_names, terms)) if group]
