"""A straight line through many points by least squares, from running sums: volumes are seen one at a time."""

import numpy as np


class LineFit:
    """y = slope * x + offset by ordinary least squares, in float64."""

    def __init__(self):
        self.sums = np.zeros(5)  # n, sum x, sum y, sum xx, sum xy

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Take in points; x and y have the same number of values."""
        x, y = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
        self.sums += [x.size, x.sum(), y.sum(), x @ x, x @ y]

    @property
    def count(self) -> int:
        return int(self.sums[0])

    def line(self) -> tuple[float, float] | None:
        """(slope, offset), or None where all x are equal or there are none."""
        n, sx, sy, sxx, sxy = self.sums
        variance = n * sxx - sx * sx
        if n == 0 or variance <= 1e-12 * n * sxx:
            return None
        slope = (n * sxy - sx * sy) / variance
        return float(slope), float((sy - slope * sx) / n)
