"""What every caption says of the losses: the terms of each row with their weights."""

from collections.abc import Mapping, Sequence


def loss_notes(losses: Mapping[str, Sequence[Mapping]], labels: Mapping[str, str]) -> str:
    """One sentence: "Losses: nnU-Net / L1: 1 l1; nnU-Net / AFP: 1 afp (navi)."."""
    return "Losses: " + "; ".join(f"{labels[row]}: {_terms(terms)}" for row, terms in losses.items()) + "."


def _terms(terms: Sequence[Mapping]) -> str:
    return " + ".join(f"{term['weight']:g} {term['term']}{_networks(term)}" for term in terms)


def _networks(term: Mapping) -> str:
    names = [entry["name"] if isinstance(entry, Mapping) else entry for entry in term.get("networks") or []]
    return f" ({', '.join(names)})" if names else ""
