"""What a study says of its images: a part of `study.results.Study`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class NearDuplicate:
    """Two images that show the same thing, or nearly, and may be in different folds.

    Attributes:
        first, second: their paths.
        likeness: correlation of their details, from `near_duplicates.ALIKE` to 1.
        contrary: whether they have different labels.
    """

    first: str
    second: str
    likeness: float
    contrary: bool


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An image whose label is probably wrong.

    Attributes:
        path: in the folder of the crops.
        label: 1 for defective.
        defects: types of its defects, joined by "+", or empty.
        score: mean probability of "defective" by the unpruned networks that had held it out.
        png: the image, in base64; empty of those that are only listed.
    """

    path: str
    label: int
    defects: str
    score: float
    png: str


@dataclasses.dataclass(frozen=True)
class ImageCounts:
    """How many images there are: in all, in what one fold holds out, or in what several do together.

    Attributes:
        images, defective: how many.
        groups: number of physical samples.
    """

    images: int
    defective: int
    groups: int

    @property
    def sound(self) -> int:
        """Number of non-defective images."""
        return self.images - self.defective


@dataclasses.dataclass(frozen=True)
class Data(ImageCounts):
    """The images, and how many there are.

    Attributes:
        folder: of the crops.
        grouped: whether the folder says which images belong to one sample.
        group_by: what two folds never share.
        unlisted: images beside the manifest, which are not used.
        skipped: bad images that were left out, a reason each.
        side: of an image as networks load it, in pixels.
        fingerprint: SHA-256 of images and labels.
        alike: pairs of images that are alike and may be in different folds.
    """

    folder: str
    grouped: bool
    group_by: str
    unlisted: int
    skipped: tuple[str, ...]
    side: int
    fingerprint: str
    alike: tuple[NearDuplicate, ...] = ()


@dataclasses.dataclass(frozen=True)
class HeldOutImage:
    """An image that some fold held out: its path in the folder, its label (1 for defective), and its sample."""

    path: str
    label: int
    group: str


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Some crops of a kind side by side.

    Attributes:
        kind: in words.
        images: how many there are of it.
        shown: how many are on the sheet.
        png: the sheet, in base64.
    """

    kind: str
    images: int
    shown: int
    png: str
