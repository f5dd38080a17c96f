"""Which cases train, validate and test: seeded, the same for everyone who has the same ids. Standard library only."""

import random
from collections import Counter

from .errors import ConfigError

PARTS = ("train", "validation", "test")


def make_splits(cases: list[str], counts: dict, seed: int, task: str) -> dict:
    """Divide the cases of a task.

    counts: how many cases each of `train`, `validation`, `test` gets (a missing part gets none), or an explicit
    list of ids for each; `stratify`, where it is not None, gives each case's stratum, and every part then gets each
    stratum in proportion. The order of `cases` does not matter: they are sorted, then shuffled with a generator
    seeded with f"{seed}-{task}".
    Returns {"seed", "train", "validation", "test", "unused"}, ids sorted within each part.
    Raises ConfigError for repeated ids, more cases asked for than there are, overlapping lists or unknown ids.
    """
    _check_unique(f"task {task}: the list of cases", cases)
    wanted = {part: counts.get(part, 0) for part in PARTS}
    explicit = [isinstance(value, list) for value in wanted.values() if value != 0]
    if explicit and all(explicit):
        parts = _explicit(cases, {part: value or [] for part, value in wanted.items()}, task)
    elif any(explicit):
        raise ConfigError(
            f"task {task}: splits mixes numbers and lists",
            found={part: "a list" if isinstance(value, list) else value for part, value in wanted.items()},
            expected="a number for each of train, validation, test, or a list of ids for each",
            hint="write all three in the same way",
        )
    else:
        parts = _drawn(cases, wanted, seed, task, counts.get("stratify"))
    used = {case for ids in parts.values() for case in ids}
    return {"seed": seed, **parts, "unused": sorted(set(cases) - used)}


def _drawn(
    cases: list[str], counts: dict[str, int], seed: int, task: str, strata: dict[str, str] | None
) -> dict[str, list[str]]:
    total = sum(counts.values())
    if min(counts.values()) < 0 or counts["train"] < 1:
        raise ConfigError(
            f"task {task}: splits cannot be made",
            found=_words(counts),
            expected="at least 1 training case and no negative number",
            hint="correct the task's `splits`",
        )
    if total > len(cases):
        raise ConfigError(
            f"task {task}: splits ask for more cases than there are",
            found=f"{len(cases)} cases",
            expected=f"{total} ({_words(counts)})",
            hint=f"lower the numbers under the task's `splits` to {len(cases)} in sum, or add cases",
        )
    order = sorted(cases)
    random.Random(f"{seed}-{task}").shuffle(order)
    if strata is not None:
        order = _interleaved(order, strata)
    parts, start = {}, 0
    for part in PARTS:
        parts[part] = sorted(order[start : start + counts[part]])
        start += counts[part]
    return parts


def _interleaved(order: list[str], strata: dict[str, str]) -> list[str]:
    """The same cases so that every stretch of them has each stratum in proportion; strata keep their own order."""
    sizes, seen = Counter(strata[case] for case in order), Counter()
    rank = {}
    for case in order:
        seen[strata[case]] += 1
        rank[case] = (seen[strata[case]] - 0.5) / sizes[strata[case]]
    return sorted(order, key=rank.get)


def _explicit(cases: list[str], lists: dict[str, list[str]], task: str) -> dict[str, list[str]]:
    known, seen = set(cases), {}
    for part, ids in lists.items():
        _check_unique(f"task {task}: splits.{part}", ids)
        unknown = sorted(set(ids) - known)
        if unknown:
            raise ConfigError(
                f"task {task}: splits.{part} names cases that the source does not have",
                found=", ".join(unknown),
                expected="ids among " + ", ".join(sorted(known)),
                hint="correct the ids, or add the cases to the source",
            )
        for case in ids:
            if case in seen:
                raise ConfigError(
                    f"task {task}: case {case} is in two parts of the split",
                    found=f"{seen[case]} and {part}",
                    expected="each case in one part only: a test case must not train",
                    hint="remove it from one of the lists",
                )
            seen[case] = part
    if not lists["train"]:
        raise ConfigError(
            f"task {task}: splits.train is empty", expected="at least one training case", hint="name training cases"
        )
    return {part: sorted(ids) for part, ids in lists.items()}


def _check_unique(where: str, ids: list[str]) -> None:
    repeated = sorted(case for case, count in Counter(ids).items() if count > 1)
    if repeated:
        raise ConfigError(
            f"{where}: a case id stands there more than once",
            found=", ".join(repeated),
            expected="each id once",
            hint="give every case its own id",
        )


def _words(counts: dict[str, int]) -> str:
    return " + ".join(f"{number} {part}" for part, number in counts.items())
