"""Which files are volumes, by their names and first bytes. Standard library only: planning reads it too."""

from pathlib import Path

FORMATS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
# Volumes of other formats: a folder that holds one is not passed over in silence.
OTHER_VOLUMES = (".img", ".img.gz", ".hdr", ".nhdr", ".mgz", ".mgh", ".gipl", ".gipl.gz", ".mnc", ".dcm", ".ima")
APPLE_DOUBLE = b"\x00\x05\x16\x07"  # what macOS writes beside a file as `._name`
GZIP = b"\x1f\x8b"


def ending(path: Path) -> str:
    """The ending of a volume's name in lower case, or nothing where it has none of FORMATS."""
    return next((extension for extension in FORMATS if path.name.lower().endswith(extension)), "")


def is_nifti(path: Path) -> bool:
    """Whether a name is that of a NIfTI file, in capitals too."""
    return ending(path) in (".nii.gz", ".nii")


def stem(path: Path) -> str:
    """A file's name without the ending of a volume."""
    return path.name[: -len(ending(path))] if ending(path) else path.stem


def is_hidden(path: Path) -> bool:
    """Whether a name begins with a point, as those of macOS's `._` files do."""
    return path.name.startswith(".")


def is_volume_name(path: Path) -> bool:
    """Whether a name says volume, of a format that is read or of another one: no picture, text or hidden file."""
    return not is_hidden(path) and (bool(ending(path)) or path.name.lower().endswith(OTHER_VOLUMES))
