"""What a test over a number of cases can show at best. Standard library only."""


def smallest_p(cases: int, compared_rows: int = 1) -> float:
    """The smallest p that a two-sided exact Wilcoxon signed-rank test of `cases` pairs can give: 2 / 2^n.

    With several rows compared with one reference: after Holm's correction, which takes the smallest p of a family times
    its size. At most 1.
    """
    return min(1.0, max(1, compared_rows) * 2 / 2**cases)
