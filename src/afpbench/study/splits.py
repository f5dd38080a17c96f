"""Which cases train, validate and test: seeded, the same for everyone who has the same ids. Standard library only."""

import random
from collections import Counter

from ..base.errors import ConfigError
from .case_ids import check_unique

PARTS = ("train", "validation", "test")


def fold_folders(splits: dict) -> list[str]:
    """Where the networks of each fold lie in a task's folder: `folds/0/`, ..., or "" for a task without folds."""
    return [f"folds/{fold}/" for fold in range(splits["folds"])] if splits["folds"] else [""]


def with_fold(label: str, fold: str) -> str:
    """The name of a network for people, with the fold that it was trained in."""
    return f"{label}, {fold.rstrip('/')}" if fold else label


def is_ensemble(splits: dict) -> bool:
    """Whether the networks of all folds predict the same test cases together, which belong to no fold."""
    return bool(splits["folds"]) and splits["test"] is not None


def test_cases(folds: list[dict]) -> list[str]:
    """The test cases of all splits of a task, each once, by id. folds: as `make_folds` returns them."""
    return sorted({case for fold in folds for case in fold["test"]})


def make_folds(cases: list[str], splits: dict, seed: int, task: str) -> list[dict]:
    """The splits of a task, one for each of `fold_folders`.

    splits: the task's section, columns resolved. Without `folds` the one split of `make_splits`. With them the cases
    are shuffled (and `stratify` spread) in the same way and cut into so many blocks, as even as they go; block k is
    tested in fold k, `validation` cases that follow it choose, and the others train, so that over the folds each case
    is a test case once. With `folds` and `test` the other cases (or `train` of them) are cut: block k chooses in fold
    k, the other blocks train, and the test cases are those of every fold. Where nothing is trained, `test` stands
    alone.
    Raises ConfigError as `make_splits`, for parts that do not go together, and for more folds than there are cases.
    """
    if is_ensemble(splits):
        return _development_folds(cases, splits, seed, task)
    if splits["folds"] is None:
        if splits["test"] is None:
            raise ConfigError(
                f"task {task}: splits.test is missing",
                expected="train, validation and test, or folds and validation",
                hint="add it, or set folds for a cross-validation",
            )
        return [make_splits(cases, splits, seed, task)]
    _check_folds(cases, splits, task)
    validation, folds = splits["validation"], []
    for test, others in _blocks(_shuffled(cases, seed, task, splits["stratify"]), splits["folds"]):
        parts = {"train": others[validation:], "validation": others[:validation], "test": test}
        folds.append(_split(seed, parts, []))
    return folds


def _development_folds(cases: list[str], splits: dict, seed: int, task: str) -> list[dict]:
    """The folds of a cross-validation of the development cases, with the test cases in each."""
    check_unique(f"task {task}: the list of cases", cases)
    if splits["validation"] is not None:
        raise ConfigError(
            f"task {task}: splits.validation beside splits.folds and splits.test",
            found=splits["validation"],
            expected="nothing: in each fold its part of the cases that are not tested chooses, and the others train",
            hint="remove validation; or remove test, to have each case tested in one fold",
        )
    test, development = splits["test"], splits["train"]
    if development is None:
        is_number = isinstance(test, int)
        development = max(1, len(cases) - test) if is_number else [case for case in cases if case not in test]
    drawn = make_splits(cases, {**splits, "train": development, "validation": None}, seed, task)
    count, known = splits["folds"], drawn["train"]
    if count > len(known):
        raise ConfigError(
            f"task {task}: splits ask for more cases than there are",
            found=f"{len(known)} cases beside the {len(drawn['test'])} that are tested",
            expected=f"at least one for each of {count} folds",
            hint="lower folds or test, or add cases",
        )
    return [
        _split(seed, {"train": train, "validation": block, "test": drawn["test"]}, drawn["unused"])
        for block, train in _blocks(_shuffled(known, seed, task, splits["stratify"]), count)
    ]


def _blocks(order: list[str], count: int) -> list[tuple[list[str], list[str]]]:
    """The cases cut into so many blocks, as even as they go: each with the others, from those that follow it on."""
    sizes = [len(order) // count + (fold < len(order) % count) for fold in range(count)]
    starts = [sum(sizes[:fold]) for fold in range(count)]
    return [
        (order[start : start + size], order[start + size :] + order[:start])
        for start, size in zip(starts, sizes, strict=True)
    ]


def _split(seed: int, parts: dict[str, list[str]], unused: list[str]) -> dict:
    return {"seed": seed, **{part: sorted(ids) for part, ids in parts.items()}, "unused": unused}


def _check_folds(cases: list[str], splits: dict, task: str) -> None:
    check_unique(f"task {task}: the list of cases", cases)
    if splits["train"] is not None:
        raise ConfigError(
            f"task {task}: splits.train beside splits.folds",
            found=splits["train"],
            expected="nothing: each fold tests its part of the cases, and trains on the others",
            hint="remove train or folds; or add test, for folds that predict the same test cases together",
        )
    count, validation = splits["folds"], splits["validation"]
    if not isinstance(validation, int):
        raise ConfigError(
            f"task {task}: splits.validation beside splits.folds",
            found=validation,
            expected="a number of cases, drawn from those that a fold does not test",
            hint="give a number",
        )
    largest = -(-len(cases) // count)
    if count > len(cases) or largest + validation >= len(cases):
        raise ConfigError(
            f"task {task}: splits ask for more cases than there are",
            found=f"{len(cases)} cases",
            expected=f"at least one to test in each of {count} folds, {validation} to validate and one to train",
            hint="lower folds or validation, or add cases",
        )


def make_splits(cases: list[str], counts: dict, seed: int, task: str) -> dict:
    """Divide the cases of a task.

    counts: how many cases each of `train`, `validation`, `test` gets (a missing part gets none), or an explicit
    list of ids for each; `train` is None where nothing is trained. `stratify`, where it is not None, gives each case's
    stratum, and every part then gets each stratum in proportion. The order of `cases` does not matter: they are sorted,
    then shuffled with a generator seeded with f"{seed}-{task}".
    Returns {"seed", "train", "validation", "test", "unused"}, ids sorted within each part.
    Raises ConfigError for repeated ids, more cases asked for than there are, overlapping lists or unknown ids.
    """
    check_unique(f"task {task}: the list of cases", cases)
    wanted = {part: counts.get(part) or 0 for part in PARTS}
    trains = counts.get("train", 0) is not None
    explicit = [isinstance(value, list) for value in wanted.values() if value != 0]
    if explicit and all(explicit):
        parts = _explicit(cases, {part: counts.get(part) or [] for part in PARTS}, task, trains)
    elif any(explicit):
        raise ConfigError(
            f"task {task}: splits mixes numbers and lists",
            found={part: "a list" if isinstance(value, list) else value for part, value in wanted.items()},
            expected="a number for each of train, validation, test, or a list of ids for each",
            hint="write all three in the same way",
        )
    else:
        parts = _drawn(cases, wanted, seed, task, counts.get("stratify"), trains)
    used = {case for ids in parts.values() for case in ids}
    return {"seed": seed, **parts, "unused": sorted(set(cases) - used)}


def _drawn(
    cases: list[str], counts: dict[str, int], seed: int, task: str, strata: dict[str, str] | None, trains: bool
) -> dict[str, list[str]]:
    total = sum(counts.values())
    if min(counts.values()) < 0 or (trains and counts["train"] < 1):
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
    order = _shuffled(cases, seed, task, strata)
    parts, start = {}, 0
    for part in PARTS:
        parts[part] = sorted(order[start : start + counts[part]])
        start += counts[part]
    return parts


def _shuffled(cases: list[str], seed: int, task: str, strata: dict[str, str] | None) -> list[str]:
    order = sorted(cases)
    random.Random(f"{seed}-{task}").shuffle(order)
    return _interleaved(order, strata) if strata is not None else order


def _interleaved(order: list[str], strata: dict[str, str]) -> list[str]:
    """The same cases so that every stretch of them has each stratum in proportion; strata keep their own order."""
    sizes, seen = Counter(strata[case] for case in order), Counter[str]()
    rank: dict[str, float] = {}
    for case in order:
        seen[strata[case]] += 1
        rank[case] = (seen[strata[case]] - 0.5) / sizes[strata[case]]
    return sorted(order, key=rank.__getitem__)


def _explicit(cases: list[str], lists: dict[str, list[str]], task: str, trains: bool) -> dict[str, list[str]]:
    known, seen = set(cases), dict[str, str]()
    for part, ids in lists.items():
        check_unique(f"task {task}: splits.{part}", ids)
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
    if trains and not lists["train"]:
        raise ConfigError(
            f"task {task}: splits.train is empty", expected="at least one training case", hint="name training cases"
        )
    return {part: sorted(ids) for part, ids in lists.items()}


def _words(counts: dict[str, int]) -> str:
    return " + ".join(f"{number} {part}" for part, number in counts.items())
