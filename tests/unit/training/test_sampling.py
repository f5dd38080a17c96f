import numpy as np
import pytest
import torch
from conftest import SPLITS

from afpbench.base.errors import TrainingError
from afpbench.nnunet import environment
from afpbench.training.regions import LabelsToRegions
from afpbench.training.training_set import DATASET
from afpbench.volumes import io


@pytest.fixture(scope="module")
def cases(training_set):
    """The stored training cases as nnU-Net opens them."""
    environment.use_nnunet(preprocessed=training_set[0])
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    return nnUNetDatasetBlosc2(str(training_set[0] / DATASET / "nnUNetPlans_3d_fullres"), SPLITS["train"])


def centred(cases, structures, seed=1):
    from afpbench.training.sampling import CentredDataset

    return CentredDataset(cases, structures, seed)


def test_locations_are_voxels_of_the_structures(cases, prepared_cases):
    dataset = centred(cases, {"dense": [1], "both": [1, 2], "absent": [9]})
    assert list(dataset.identifiers) == SPLITS["train"]
    _, labels, _, properties = dataset.load_case("p2")
    truth = io.read(prepared_cases["p2"] / "labels.nii.gz").array
    locations = properties["class_locations"]
    assert set(locations) == {(1,), (1, 2), (9,)} and len(locations[(9,)]) == 0
    assert all(truth[tuple(place[1:])] == 1 for place in locations[(1,)])
    assert {truth[tuple(place[1:])] for place in locations[(1, 2)]} == {1, 2}
    assert len(locations[(1,)]) == min(10000, (truth == 1).sum())


def test_the_same_seed_draws_the_same_locations(cases):
    first, again, other = (centred(cases, {"airy": [2]}, seed) for seed in (1, 1, 2))
    places = [np.asarray(dataset.load_case("p1")[3]["class_locations"][(2,)]) for dataset in (first, again, other)]
    assert np.array_equal(places[0], places[1]) and not np.array_equal(places[0], places[2])


def loader(cases, oversampling, batch=4):
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

    class Labels:
        all_labels, has_ignore_label = [0, 1], False

    return nnUNetDataLoader(cases, batch, [8, 8, 8], [8, 8, 8], Labels(), oversampling)


def test_nnunets_loader_centres_its_share_of_patches(cases):
    np.random.seed(0)
    batches = loader(centred(cases, {"dense": [1]}), 0.5)
    labels = torch.cat([batches.generate_train_batch()["target"][2:, 1] for _ in range(6)])
    assert (labels[:, 4, 4, 4] == 1).all()  # the last half of every batch; the dense organ lies far from the borders
    np.random.seed(0)
    anywhere = loader(centred(cases, {"dense": [1]}), 0.0)
    centres = torch.cat([anywhere.generate_train_batch()["target"][:, 1, 4, 4, 4] for _ in range(6)])
    assert 0 < (centres == 1).sum() < 12


def test_a_name_that_no_training_case_has(cases):
    from afpbench.training.sampling import check_present

    check_present(cases, {"dense": [1], "some": [2, 7]}, "thorax/l1: patches")
    with pytest.raises(TrainingError) as error:
        check_present(cases, {"dense": [1], "bone": [7, 8]}, "thorax/l1: patches")
    assert str(error.value) == (
        "thorax/l1: patches: no training case has a voxel of bone\n  found: label values [1, 2] in 3 cases\n"
        "  expected: some of [7, 8]\n  hint: remove the name, or train on cases whose labels have it"
    )


def test_labels_become_regions_by_hand():
    body = torch.tensor([1, 1, 0, -1], dtype=torch.int16).reshape(1, 1, 4)
    labels = torch.tensor([3, 5, 0, -1], dtype=torch.int16).reshape(1, 1, 4)
    data = {"segmentation": torch.stack([body, labels])}
    out = LabelsToRegions([[3, 5], [5]])(**data)["segmentation"]
    assert out.shape == (3, 1, 1, 4) and out.dtype == torch.int16
    assert out.flatten(1).tolist() == [[1, 1, 0, -1], [1, 1, 0, 0], [0, 1, 0, 0]]
    assert LabelsToRegions([])(**data)["segmentation"].flatten(1).tolist() == [[1, 1, 0, -1]]


def test_a_region_turns_with_the_image():
    """The image is the region itself: after rotation and scaling the two still agree."""
    environment.use_nnunet()
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

    z, y, x = np.meshgrid(*[np.arange(24)] * 3, indexing="ij")
    organ = ((abs(z - 12) < 7) & (abs(y - 10) < 4) & (abs(x - 14) < 6)).astype(np.int16)
    turn = SpatialTransform(
        (16, 16, 16), 0, False, p_rotation=1, rotation=(0.6, 0.6), p_scaling=1, scaling=(1.2, 1.2),
        border_mode_seg="constant", padding_value_seg=-1, bg_style_seg_sampling=False,
    )  # fmt: skip
    segmentation = torch.from_numpy(np.stack([np.ones_like(organ), 4 * organ]))
    torch.manual_seed(0)
    result = ComposeTransforms([LabelsToRegions([[4]]), turn])(
        image=torch.from_numpy(organ[None].astype(np.float32)), segmentation=segmentation
    )
    region, image = result["segmentation"][1] == 1, result["image"][0] > 0.5
    assert region.any() and (region == image).float().mean() > 0.99
    assert (organ[4:20, 4:20, 4:20] != region.numpy()).mean() > 0.02  # it did turn
