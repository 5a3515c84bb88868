"""How the crops of a folder are to be read."""

import dataclasses

from wool_tf.data.naming import AS_NAMED, CropNaming
from wool_tf.settings import check, setting


@dataclasses.dataclass(frozen=True)
class CropReading:
    """What a user says of the crops of a folder.

    Attributes:
        on_bad_image: "fail" refuses the folder if any image is bad; "skip" leaves the bad ones out, and says in the
            Dataset which and why. Of images with the same pixels in their own size, all are left out if their labels
            differ, and all but the first if their groups differ.
        naming: which labels are which class, and where samples stand in the names of files.
        white: the highest value of samples in 16-bit grey images, which only specks may exceed; None: that of
            `imaging.json`, or else of the fewest of 10, 12, 14 and 16 bits that all of them fit but a few
            (`sample_bits`), which is logged if it is not 16.

    Raises:
        BadSetting: a value breaks its rule.
    """

    on_bad_image: str = setting(
        "fail", "What to do about images that cannot be used: refuse the folder, or leave them out.",
        choices=("fail", "skip"),
    )  # fmt: skip
    naming: CropNaming = AS_NAMED
    white: int | None = None

    def __post_init__(self) -> None:
        check(self)

    def given(self) -> dict[str, object]:
        """What differs from the defaults, by the names of the flags that say it."""
        said = {**vars(self.naming), **{name: value for name, value in vars(self).items() if name != "naming"}}
        usual = {**vars(AS_NAMED), "on_bad_image": CropReading.on_bad_image, "white": None}
        return {name: value for name, value in said.items() if value != usual[name]}


AS_THEY_ARE = CropReading()
"""No bad images, class names as the documents have them, and nothing given that can be found."""
