"""Label ids of the phantom. Structures that TotalSegmentator's `total` task has carry its class ids; the rest,
which that map lacks, have own ids from 200. Standard library only: the workflow reads this while it is parsed."""

_VERTEBRAE = ["L5", "L4", "L3", "L2", "L1"] + [f"T{level}" for level in range(12, 0, -1)] + ["C7", "C6", "C5", "C4"]

TOTALSEGMENTATOR_LABELS: dict[str, int] = {
    "spleen": 1,
    "liver": 5,
    "stomach": 6,
    "lung_upper_lobe_left": 10,
    "lung_lower_lobe_left": 11,
    "lung_upper_lobe_right": 12,
    "lung_middle_lobe_right": 13,
    "lung_lower_lobe_right": 14,
    "esophagus": 15,
    "trachea": 16,
    "small_bowel": 18,
    "colon": 20,
    "urinary_bladder": 21,
    "prostate": 22,
    "sacrum": 25,
    **{f"vertebrae_{level}": 27 + offset for offset, level in enumerate(_VERTEBRAE)},
    "heart": 51,
    "aorta": 52,
    "superior_vena_cava": 62,
    "inferior_vena_cava": 63,
    "iliac_artery_left": 65,
    "iliac_artery_right": 66,
    "iliac_vena_left": 67,
    "iliac_vena_right": 68,
    "scapula_left": 71,
    "scapula_right": 72,
    "clavicula_left": 73,
    "clavicula_right": 74,
    "femur_left": 75,
    "femur_right": 76,
    "hip_left": 77,
    "hip_right": 78,
    "spinal_cord": 79,
    "gluteus_maximus_left": 80,
    "gluteus_maximus_right": 81,
    "gluteus_medius_left": 82,
    "gluteus_medius_right": 83,
    "gluteus_minimus_left": 84,
    "gluteus_minimus_right": 85,
    "autochthon_left": 86,
    "autochthon_right": 87,
    "iliopsoas_left": 88,
    "iliopsoas_right": 89,
    **{f"rib_left_{level}": 91 + level for level in range(1, 13)},
    **{f"rib_right_{level}": 103 + level for level in range(1, 13)},
    "sternum": 116,
    "costal_cartilages": 117,
}

OWN_LABELS: dict[str, int] = {
    "airway_lumen": 200,
    "airway_wall": 201,
    "pulmonary_vessel": 202,
    "bronchiectasis": 203,
    "peribronchial_thickening": 204,
    "mucus": 205,
    "subcutaneous_fat": 206,
    "other_muscle": 207,
    "skin": 208,
    "rectum": 209,
    "intervertebral_disc": 210,
    "inner_fat": 211,
}

LABELS: dict[str, int] = {**TOTALSEGMENTATOR_LABELS, **OWN_LABELS}

AIRWAY_CLASSES: list[str] = ["airway_lumen", "airway_wall", "bronchiectasis", "peribronchial_thickening", "mucus"]
"""The five disjoint parts of the airway tree below the trachea; their union is the tree."""

LESION_CLASSES: list[str] = ["bronchiectasis", "peribronchial_thickening", "mucus"]
"""Occur in the diseased cases of the thorax only."""

_EVERYWHERE = ["subcutaneous_fat", "other_muscle", "skin", "inner_fat", "intervertebral_disc", "spinal_cord"]
_AUTOCHTHON = ["autochthon_left", "autochthon_right"]

REGION_CLASSES: dict[str, list[str]] = {
    "thorax": [
        *_EVERYWHERE,
        *_AUTOCHTHON,
        *[f"vertebrae_T{level}" for level in range(1, 12)],
        *[f"rib_{side}_{level}" for side in ("left", "right") for level in range(1, 11)],
        "sternum",
        "costal_cartilages",
        "scapula_left",
        "scapula_right",
        "clavicula_left",
        "clavicula_right",
        "heart",
        "aorta",
        "superior_vena_cava",
        "inferior_vena_cava",
        "esophagus",
        "liver",
        "spleen",
        "stomach",
        "lung_upper_lobe_left",
        "lung_lower_lobe_left",
        "lung_upper_lobe_right",
        "lung_middle_lobe_right",
        "lung_lower_lobe_right",
        "trachea",
        "pulmonary_vessel",
        *AIRWAY_CLASSES,
    ],
    "pelvis": [
        *_EVERYWHERE,
        *_AUTOCHTHON,
        "vertebrae_L5",
        "vertebrae_L4",
        "sacrum",
        "hip_left",
        "hip_right",
        "femur_left",
        "femur_right",
        *[f"gluteus_{part}_{side}" for part in ("maximus", "medius", "minimus") for side in ("left", "right")],
        "iliopsoas_left",
        "iliopsoas_right",
        "iliac_artery_left",
        "iliac_artery_right",
        "iliac_vena_left",
        "iliac_vena_right",
        "urinary_bladder",
        "prostate",
        "rectum",
        "colon",
        "small_bowel",
    ],
}
"""Per region, the structures that can occur in its label maps. The lesions occur in the diseased cases only, and
vertebrae and ribs at the ends of the field of view only where that reaches them; all others in every case."""
