"""afpbench.nnunet.trainers: the class that nnU-Net's own search finds, without its imports."""

import pytest
from fresh_process import printed

from afpbench.nnunet import environment, trainers

environment.use_nnunet()


@pytest.mark.parametrize(
    "name", ["nnUNetTrainer", "nnUNetTrainer_4000epochs_NoMirroring", "nnUNetTrainerBN", "nnUNet_Primus_M_Trainer"]
)
def test_the_trainer_is_the_one_that_nnunet_finds(name):
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    assert trainers.find_trainer(name) is recursive_find_trainer_class_by_name(name)


def test_a_trainer_that_nnunet_does_not_have():
    assert trainers.find_trainer("nnUNetTrainerOfNobody") is None
    assert trainers.find_trainer("nnUNetTrainer.*") is None


def test_the_predictor_finds_it_without_the_others():
    code = (
        "import sys\n"
        "from afpbench.nnunet import environment, trainers\n"
        "environment.use_nnunet()\n"
        "from nnunetv2.inference import predict_from_raw_data as module\n"
        "search = module.recursive_find_trainer_class_by_name\n"
        "with trainers.short_search():\n"
        "    print(module.recursive_find_trainer_class_by_name('nnUNetTrainer_4000epochs_NoMirroring').__name__)\n"
        "print('timm' in sys.modules, module.recursive_find_trainer_class_by_name is search)\n"
    )
    assert printed(code).split() == ["nnUNetTrainer_4000epochs_NoMirroring", "False", "True"]


def test_a_trainer_of_ours_is_found_by_nnunets_own_search():
    from nnunetv2.inference import predict_from_raw_data

    with trainers.short_search():
        found = predict_from_raw_data.recursive_find_trainer_class_by_name("nnUNetTrainerStudy")
    assert found.__name__ == "nnUNetTrainerStudy"
