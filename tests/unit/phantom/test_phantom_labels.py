"""Label ids agree with TotalSegmentator's, and the regions' lists hold known names."""

from fresh_process import printed

from afpbench.phantom.labels import AIRWAY_CLASSES, LABELS, LESION_CLASSES, OWN_LABELS, REGION_CLASSES
from afpbench.phantom.labels import TOTALSEGMENTATOR_LABELS as SHARED


def test_ids_are_those_of_totalsegmentator():
    from totalsegmentator.map_to_binary import class_map

    theirs = {name: value for value, name in class_map["total"].items()}
    assert {name: theirs.get(name) for name in SHARED} == SHARED
    assert not set(OWN_LABELS) & set(theirs), "a structure of TotalSegmentator's map must carry its id"


def test_ids_by_hand():
    assert (LABELS["vertebrae_L5"], LABELS["vertebrae_T6"], LABELS["vertebrae_C6"]) == (27, 38, 45)
    assert (LABELS["rib_left_1"], LABELS["rib_left_12"], LABELS["rib_right_1"], LABELS["rib_right_12"]) == (
        92,
        103,
        104,
        115,
    )
    assert (LABELS["airway_lumen"], LABELS["mucus"], LABELS["rectum"]) == (200, 205, 209)


def test_ids_are_unique_and_fit_uint8():
    assert len(set(LABELS.values())) == len(LABELS)
    assert all(1 <= value <= 255 for value in LABELS.values())
    assert all(value >= 200 for value in OWN_LABELS.values())


def test_region_lists_hold_known_names_once():
    for names in REGION_CLASSES.values():
        assert len(set(names)) == len(names)
        assert set(names) <= set(LABELS)
    assert set(AIRWAY_CLASSES) <= set(REGION_CLASSES["thorax"])
    assert set(LESION_CLASSES) < set(AIRWAY_CLASSES)


def test_labels_need_the_standard_library_only():
    code = (
        "import sys; import afpbench.phantom.labels; "
        "print(sorted(m for m in ('numpy', 'scipy', 'SimpleITK', 'torch') if m in sys.modules))"
    )
    assert printed(code).strip() == "[]"
