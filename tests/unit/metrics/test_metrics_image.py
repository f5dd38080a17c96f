import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.signal import fftconvolve
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from afpbench.base.errors import DataError
from afpbench.metrics import similarity
from afpbench.metrics.evaluate import Structure
from afpbench.metrics.image import image_metrics, mean_hu, structure_error_hu
from afpbench.study.kinds.segmenters.totalsegmentator import totalsegmentator_classes
from afpbench.volumes import io


def two_images(seed=0, shape=(14, 12, 11)):
    generator = np.random.default_rng(seed)
    real = generator.normal(0, 400, shape)
    return real, real + generator.normal(20, 100, shape)


def plain_masked_ssim(real, synthetic, mask):
    """SynthRAD2023's definition written out: clip, empty outside, shift to zero, full map, borders of 3 off."""
    real, synthetic = (np.where(mask, np.clip(a, -1024, 3000), -1024.0) + 1024 for a in (real, synthetic))
    _, ssim_map = structural_similarity(real, synthetic, data_range=4024.0, full=True)
    return ssim_map[3:-3, 3:-3, 3:-3][mask[3:-3, 3:-3, 3:-3]].mean()


def synthrad2025_ms_ssim(real, synthetic, mask=None, highest=3000.0):
    """SynthRAD2025's definition written out: luminance, contrast and structure at five scales, FFT for the next one."""
    real, synthetic = (np.clip(image, -1024.0, highest) for image in (real, synthetic))
    if mask is not None:
        real, synthetic = np.where(mask, real, -1024.0), np.where(mask, synthetic, -1024.0)
    inside = np.ones(real.shape, bool) if mask is None else mask
    gaps = [max(0, 97 - size) for size in real.shape]
    pads = [(gap // 2, gap - gap // 2) for gap in gaps]
    x, y, inside = (np.pad(image, pads, mode="edge") for image in (real + 1024, synthetic + 1024, inside))
    c1, c2 = (0.01 * (highest + 1024)) ** 2, (0.03 * (highest + 1024)) ** 2
    result = 1.0
    for weight in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333):
        mean_x, mean_y = uniform_filter(x, 7), uniform_filter(y, 7)
        sample = 343 / 342
        var_x = sample * (uniform_filter(x * x, 7) - mean_x**2)
        var_y = sample * (uniform_filter(y * y, 7) - mean_y**2)
        covariance = sample * (uniform_filter(x * y, 7) - mean_x * mean_y)
        sd = np.sqrt(np.maximum(var_x, 0)) * np.sqrt(np.maximum(var_y, 0))
        luminance = np.maximum((2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1), 0) ** weight
        contrast = np.maximum((2 * sd + c2) / (var_x + var_y + c2), 0) ** weight
        structure = np.maximum((covariance + c2 / 2) / (sd + c2 / 2), 0) ** weight
        scores = (luminance * contrast * structure)[3:-3, 3:-3, 3:-3][inside[3:-3, 3:-3, 3:-3]]
        result *= np.clip(scores.mean(), 0, 1)
        x, y = (fftconvolve(image, np.full((2, 2, 2), 1 / 8), mode="same")[::2, ::2, ::2] for image in (x, y))
        inside = inside[::2, ::2, ::2]
    return result


def smooth_pair(shape, seed=3):
    """Two images that resemble one another at every scale, with values beyond the clipping limits, and a mask."""
    generator = np.random.default_rng(seed)
    base = sum(s * 60 * gaussian_filter(generator.normal(0, 100, shape), s) for s in (1, 3, 9))
    noise = 20 * gaussian_filter(generator.normal(0, 100, shape), 2) + generator.normal(0, 80, shape)
    grid = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    return base, base + noise, sum(axis**2 for axis in grid) < 0.9


@pytest.mark.parametrize(("shape", "highest"), [((40, 100, 33), 3000.0), ((99, 98, 20), 3071.0)])
def test_ms_ssim_is_synthrad2025s(shape, highest):
    real, synthetic, mask = smooth_pair(shape)
    values = image_metrics(real, synthetic, mask, (-1024.0, highest))
    expected = (synthrad2025_ms_ssim(real, synthetic, region, highest) for region in (mask, None))
    assert [values[region]["ms_ssim"] for region in ("body", "volume")] == pytest.approx([*expected], abs=1e-9)
    assert 0.1 < values["body"]["ms_ssim"] < 0.999


def test_ms_ssim_of_opposite_images_is_zero():
    real = np.random.default_rng(0).normal(0, 1000, (20, 20, 20))
    assert image_metrics(real, -real)["volume"]["ms_ssim"] < 0.02


def test_mae_and_psnr_are_both_challenges():
    real, synthetic, mask = smooth_pair((12, 13, 14))
    real, synthetic = np.clip(real, -1000, 2900), np.clip(synthetic, -1000, 2900)  # the challenges clip for PSNR only
    body = image_metrics(real, synthetic, mask)["body"]
    assert body["mae"] == pytest.approx(np.abs(real * mask - synthetic * mask).sum() / mask.sum(), abs=1e-9)
    expected = peak_signal_noise_ratio(real[mask], synthetic[mask], data_range=4024.0)
    assert body["psnr"] == pytest.approx(expected, abs=1e-9)


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
@given(st.integers(0, 1000), st.tuples(*[st.integers(8, 13)] * 3), st.integers(1, 300))
def test_masked_ssim_is_synthrads_whatever_the_box_and_the_tiles(seed, shape, tile):
    real, synthetic = two_images(seed, shape)
    low, high = np.sort(np.random.default_rng(seed).integers(0, np.array(shape) + 1, (2, 3)), axis=0)
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    mask[shape[0] // 2, shape[1] // 2, shape[2] // 2] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "_TILE_VOXELS", tile)
        clipped = (np.where(mask, np.clip(image, -1024, 3000), -1024.0) + 1024 for image in (real, synthetic))
        ours = similarity.similarities(*clipped, mask, 4024.0)["ssim"]
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
    assert math.isnan(body["ssim"]) and math.isnan(body["ms_ssim"]) and body["mae"] > 0


def test_equal_images_score_perfectly():
    real, _ = two_images()
    for values in image_metrics(real, real.copy(), np.ones(real.shape)).values():
        assert math.isnan(values.pop("checkerboard"))  # no axis of 24 voxels
        assert values == {"mae": 0, "me": 0, "rmse": 0, "psnr": math.inf, "ssim": 1, "ms_ssim": 1}


def test_structure_error():
    real, synthetic = np.zeros((2, 2, 2)), np.arange(8.0).reshape(2, 2, 2)
    structure = np.zeros((2, 2, 2), bool)
    structure[1, 1] = True
    assert structure_error_hu(real, synthetic, structure) == 6.5
    assert math.isnan(structure_error_hu(real, synthetic, np.zeros((2, 2, 2), bool)))


def test_volumes_and_mean_hu_of_a_real_ct_are_totalsegmentators_own(real_data):
    """example_seg_fast_statistics.json: what the package wrote for each of its 117 classes."""
    folder = real_data / "totalsegmentator"
    ct, labels = io.read(folder / "example_ct_sm.nii.gz"), io.read(folder / "example_seg_fast.nii.gz")
    expected = json.loads((folder / "example_seg_fast_statistics.json").read_text())
    present = 0
    for value, name in totalsegmentator_classes().items():
        mask = Structure(name, "ts", (value,), 3.0).mask(labels.array)
        assert mask.sum() * math.prod(ct.spacing_mm) == pytest.approx(expected[name]["volume"], abs=1e-6)
        if mask.any():
            present += 1
            assert mean_hu(ct.array, mask, (-32768, 32767)) == pytest.approx(expected[name]["intensity"], abs=1e-5)
    assert present == sum(entry["volume"] > 0 for entry in expected.values()) > 30


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
