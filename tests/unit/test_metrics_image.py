import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from afpbench.errors import DataError
from afpbench.metrics import image
from afpbench.metrics.image import image_metrics, structure_error_hu


def two_images(seed=0, shape=(14, 12, 11)):
    generator = np.random.default_rng(seed)
    real = generator.normal(0, 400, shape)
    return real, real + generator.normal(20, 100, shape)


def plain_masked_ssim(real, synthetic, mask):
    """SynthRAD2023's definition written out: clip, empty outside, shift to zero, full map, borders of 3 off."""
    real, synthetic = (np.where(mask, np.clip(a, -1024, 3000), -1024.0) + 1024 for a in (real, synthetic))
    _, ssim_map = structural_similarity(real, synthetic, data_range=4024.0, full=True)
    return ssim_map[3:-3, 3:-3, 3:-3][mask[3:-3, 3:-3, 3:-3]].mean()


def test_errors_by_hand():
    real = np.zeros((7, 7, 7), np.int16)
    synthetic = real.copy()
    synthetic[3, 3, 3], synthetic[3, 3, 4] = 30, -10
    mask = np.zeros(real.shape, np.uint8)
    mask[3, 3, 2:6] = 1
    body = image_metrics(real, synthetic, mask)["body"]
    assert body["mae"] == 10.0  # (30 + 10) / 4
    assert body["me"] == 5.0  # (30 - 10) / 4: synthetic - real
    assert body["rmse"] == pytest.approx(math.sqrt(1000 / 4), abs=1e-12)
    assert body["psnr"] == pytest.approx(10 * math.log10(4024**2 / 250), abs=1e-12)
    volume = image_metrics(real, synthetic, mask)["volume"]
    assert volume["mae"] == pytest.approx(40 / 343, abs=1e-12)
    assert volume["me"] == pytest.approx(20 / 343, abs=1e-12)


def test_values_are_clipped_to_the_population_range():
    real = np.full((7, 7, 7), 3000.0)
    values = image_metrics(real, real + 71)["volume"]
    assert values["mae"] == 0 and values["psnr"] == math.inf and values["ssim"] == 1
    assert image_metrics(real - 7000, real - 6000)["volume"]["mae"] == 0


def test_int16_does_not_overflow():
    real = np.full((7, 7, 7), -1024, np.int16)
    assert image_metrics(real, np.full((7, 7, 7), 3000, np.int16))["volume"]["mae"] == 4024


def test_ssim_of_constant_images_is_the_luminance_term():
    real, synthetic = np.full((9, 8, 7), -24.0), np.full((9, 8, 7), 976.0)  # 1000 and 2000 above the lower limit
    c1 = (0.01 * 4024) ** 2
    expected = (2 * 1000 * 2000 + c1) / (1000**2 + 2000**2 + c1)
    assert image_metrics(real, synthetic)["volume"]["ssim"] == pytest.approx(expected, abs=1e-9)


def test_volume_ssim_is_scikit_images_mean_without_border():
    real, synthetic = (np.clip(image, -1024, 3000) for image in two_images())
    expected = structural_similarity(real + 1024, synthetic + 1024, data_range=4024.0)
    assert image_metrics(real, synthetic)["volume"]["ssim"] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.tuples(*[st.integers(8, 13)] * 3), st.integers(1, 3000))
def test_masked_ssim_is_synthrads_whatever_the_box_and_the_slabs(seed, shape, slab):
    real, synthetic = two_images(seed, shape)
    low, high = np.sort(np.random.default_rng(seed).integers(0, np.array(shape) + 1, (2, 3)), axis=0)
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    mask[shape[0] // 2, shape[1] // 2, shape[2] // 2] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "_SLAB_VOXELS", slab)
        ours = image_metrics(real, synthetic, mask)["body"]["ssim"]
    assert ours == pytest.approx(plain_masked_ssim(real, synthetic, mask), abs=1e-9)


def test_what_lies_outside_the_mask_does_not_matter():
    real, synthetic = two_images()
    mask = np.zeros(real.shape, bool)
    mask[4:9, 4:9, 4:9] = True
    body = image_metrics(real, synthetic, mask)["body"]
    assert image_metrics(real, np.where(mask, synthetic, 2000), mask)["body"] == body


def test_a_mask_within_the_border_has_no_ssim():
    real, synthetic = two_images()
    mask = np.zeros(real.shape, bool)
    mask[0, 5, 5] = True
    body = image_metrics(real, synthetic, mask)["body"]
    assert math.isnan(body["ssim"]) and body["mae"] > 0


def test_equal_images_score_perfectly():
    real, _ = two_images()
    for values in image_metrics(real, real.copy(), np.ones(real.shape)).values():
        assert values == {"mae": 0, "me": 0, "rmse": 0, "psnr": math.inf, "ssim": 1}


def test_structure_error():
    real, synthetic = np.zeros((2, 2, 2)), np.arange(8.0).reshape(2, 2, 2)
    structure = np.zeros((2, 2, 2), bool)
    structure[1, 1] = True
    assert structure_error_hu(real, synthetic, structure) == 6.5
    assert math.isnan(structure_error_hu(real, synthetic, np.zeros((2, 2, 2), bool)))


def test_refusals_name_the_case():
    real, synthetic = two_images()
    with pytest.raises(DataError, match=r"case p01: shapes differ\n.*real \(14, 12, 11\), synthetic \(13, 12, 11\)"):
        image_metrics(real, synthetic[1:], what="case p01")
    with pytest.raises(DataError, match=r"case p01: the mask is empty"):
        image_metrics(real, synthetic, np.zeros(real.shape), what="case p01")
    with pytest.raises(DataError, match=r"too small for SSIM's window\n.*\(6, 12, 11\)\n.*at least 7"):
        image_metrics(real[:6], synthetic[:6], what="case p01")
    synthetic[0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"the synthetic CT has NaN voxels\n.*1 of 1848"):
        image_metrics(real, synthetic, what="case p01")
