"""afpbench: does a segmentation-feature (AFP) loss keep the anatomy in MR-to-CT synthesis?"""

__version__ = "0.1.0"
