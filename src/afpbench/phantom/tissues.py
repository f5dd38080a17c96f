"""What tissues look like: HU in CT and relative signal in the two regions' MR sequences."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tissue:
    """hu: mean; case_hu: SD of the mean between cases; texture_hu: SD of the texture within a case.

    ute: relative signal in the thorax's ultrashort-echo sequence; t2: in the pelvis's T2-weighted one; t1: in a
    T1-weighted one.
    """

    name: str
    hu: float
    case_hu: float
    texture_hu: float
    ute: float
    t2: float
    t1: float


# HU: literature values of unenhanced CT at 120 kV. MR: order of magnitude of the sequences' relative signals.
TISSUES: tuple[Tissue, ...] = (
    Tissue("air", -1000, 0, 0, 0.00, 0.00, 0.00),
    Tissue("skin", 50, 8, 10, 0.55, 0.35, 0.55),
    Tissue("fat", -102, 5, 8, 1.00, 0.85, 1.00),
    Tissue("inner_fat", -95, 6, 12, 0.95, 0.80, 0.95),
    Tissue("muscle", 52, 4, 9, 0.48, 0.26, 0.45),
    Tissue("lung", -825, 22, 26, 0.13, 0.05, 0.06),
    Tissue("fissure", -700, 20, 20, 0.20, 0.08, 0.10),
    Tissue("blood", 42, 4, 6, 0.66, 0.12, 0.35),
    Tissue("myocardium", 47, 4, 6, 0.54, 0.35, 0.42),
    Tissue("liver", 58, 6, 8, 0.60, 0.30, 0.55),
    Tissue("spleen", 48, 4, 7, 0.66, 0.50, 0.40),
    Tissue("cortical_bone", 1000, 90, 70, 0.14, 0.03, 0.05),
    Tissue("trabecular_bone", 210, 35, 45, 0.78, 0.60, 0.75),
    Tissue("cartilage", 110, 15, 15, 0.52, 0.40, 0.45),
    Tissue("disc", 85, 10, 10, 0.58, 0.50, 0.35),
    Tissue("cord", 32, 4, 6, 0.62, 0.45, 0.45),
    Tissue("fluid", 12, 4, 5, 0.42, 0.95, 0.18),
    Tissue("airway_wall", 15, 10, 12, 0.48, 0.40, 0.40),
    Tissue("inflamed_wall", 25, 8, 12, 0.66, 0.60, 0.42),
    Tissue("airway_gas", -995, 0, 4, 0.01, 0.00, 0.00),
    Tissue("mucus", 18, 8, 10, 0.82, 0.90, 0.30),
    Tissue("gut_wall", 42, 5, 8, 0.60, 0.38, 0.42),
    Tissue("gut_gas", -1000, 0, 0, 0.00, 0.00, 0.00),
    Tissue("gut_content", 28, 10, 25, 0.62, 0.55, 0.40),
    Tissue("stool", 40, 15, 60, 0.40, 0.30, 0.45),
    Tissue("urine", 9, 3, 3, 0.40, 1.00, 0.15),
    Tissue("prostate", 36, 4, 7, 0.55, 0.45, 0.40),
    Tissue("prostate_rim", 34, 4, 7, 0.55, 0.72, 0.38),
)

TISSUE: dict[str, int] = {tissue.name: index for index, tissue in enumerate(TISSUES)}

SEQUENCES = ("ute", "t1", "t2")
MR_SEQUENCE = {"thorax": "ute", "pelvis": "t2"}


@dataclass(frozen=True)
class Look:
    """One case's tissue values: tables indexed by tissue id (float32)."""

    hu: np.ndarray
    texture_hu: np.ndarray
    signal: np.ndarray


def case_look(rng: np.random.Generator, region: str, sequence: str | None = None) -> Look:
    """Draw a case's tissue means around the table: HU by `case_hu`, MR signals by 6 percent.

    sequence: of the MR, None for the region's own.
    """
    hu = np.array([tissue.hu + tissue.case_hu * np.clip(rng.standard_normal(), -2, 2) for tissue in TISSUES])
    texture = np.array([tissue.texture_hu for tissue in TISSUES])
    signal = draw_signal(rng, sequence or MR_SEQUENCE[region])
    return Look(hu.astype(np.float32), texture.astype(np.float32), signal)


def draw_signal(rng: np.random.Generator, sequence: str) -> np.ndarray:
    """A case's tissue means in a sequence (`ute`, `t1`, `t2`), float32, by tissue id."""
    signal = np.array([getattr(tissue, sequence) for tissue in TISSUES])
    signal = signal * (1 + 0.06 * np.clip(rng.standard_normal(len(TISSUES)), -2, 2))
    return signal.astype(np.float32)
