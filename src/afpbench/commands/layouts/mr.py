"""Which images are the MR: one of a case, or several that are its channels (study.channels)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...base import formats
from ...base.errors import ConfigError
from ...study.kinds.sources.patterns import CASE
from .images import WORD, WORDS, Pattern

Chosen = str | Mapping[str, str]  # a pattern, a column or a suffix; one for each channel by its name
NAMED = re.compile(r"([A-Za-z0-9_-]+)=(.+)")
GENERIC = {"mr", "mri", "mrs"}  # words that tell an MR and not which


def chosen_mr(given: Sequence[str]) -> Chosen | None:
    """What `--mr` says, given once, or once for each channel as NAME=...; None where it is not given.

    Raises ConfigError for one channel, for one without a name, and for a name given twice.
    """
    named = [match for text in given if (match := NAMED.fullmatch(text))]
    if not named and len(given) < 2:
        return given[0] if given else None
    channels = {match[1]: match[2] for match in named}
    if len(given) == len(channels) > 1:
        return channels
    raise ConfigError(
        "afpbench init: --mr: not the channels of an MR",
        found=" ".join(f"--mr '{text}'" for text in given),
        expected="--mr PATTERN of an MR of one image; of several images --mr NAME=PATTERN for each, each name once",
        hint="the names are yours: --mr t1='{case}/T1.nii.gz' --mr t2='{case}/T2.nii.gz'",
    )


def as_channels(ways: Sequence[Pattern]) -> list[str]:
    """The option that takes all of several ways as channels, where they are images of the same cases."""
    images = [image for way in ways for image in way.images.values()]
    cases = set(ways[0].images).intersection(*(way.images for way in ways[1:])) if ways else set()
    if len(ways) < 2 or len(set(images)) < len(images) or not cases:
        return []
    texts = [way.text for way in ways]
    option = " ".join(f"--mr {name}='{text}'" for name, text in zip(names_of(texts), texts, strict=True))
    return [f"{option}  (channels of one MR: {len(cases)} cases have all)"]


def names_of(texts: Sequence[str]) -> list[str]:
    """A name for each channel: the word that tells its sequence; where these are alike, all its words, or a number."""
    short, long = [_sequence(text) for text in texts], [_slug(text) for text in texts]
    numbers = [f"mr{number}" for number in range(1, len(texts) + 1)]
    return next(names for names in (short, long, numbers) if len(set(filter(None, names))) == len(texts))


def in_words(mr: Chosen) -> str:
    """The MR as people are told of it."""
    return mr if isinstance(mr, str) else ", ".join(f"{name} {text}" for name, text in mr.items())


def texts_of(mr: Chosen) -> list[str]:
    """The pattern, column or suffix of each channel."""
    return [mr] if isinstance(mr, str) else list(mr.values())


def _sequence(text: str) -> str:
    """`t2w` of `{case}/{case}_T2w.nii.gz`; "" of a pattern without such a word."""
    words = [word for word in WORD.findall(text.replace(CASE, "/").lower()) if word in WORDS["mr"]]
    return next((word for word in reversed(words) if word not in GENERIC), words[-1] if words else "")


def _slug(text: str) -> str:
    """`dixon_in` of `{case}/dixon-in.nii.gz`."""
    bare = text[: len(text) - len(formats.ending(Path(text)))].replace(CASE, "/")
    return re.sub(r"[^A-Za-z0-9]+", "_", bare).strip("_").lower()
