"""What a training imports before its first epoch, and what waits until it is used."""

from fresh_process import printed

CODE = """
import sys
from afpbench.nnunet import environment

environment.use_nnunet()
from afpbench.training.run import _trainer_class

print(_trainer_class("nnUNetTrainerTranslation").__name__)
print(*sorted({"seaborn", "matplotlib.pyplot", "scipy.stats", "pandas", "sklearn"} & {*sys.modules}))
from nnunetv2.training.logging import nnunet_logger

print(nnunet_logger.plt.figure().number, len(nnunet_logger.sns.color_palette("deep", 3)))
"""


def test_a_trainer_imports_nothing_for_plots_and_tables():
    assert printed(CODE).splitlines() == ["nnUNetTrainerTranslation", "", "1 3"]
