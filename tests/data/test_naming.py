"""wool_tf/data/naming.py: what a user says of names."""

import pytest

from wool_tf.data.naming import CropNaming, SampleNaming, original
from wool_tf.errors import BadSetting


@pytest.mark.parametrize(
    ("expression", "path", "sample"),
    [
        (r"^(S\d+)_", "defective/S001_2.png", "S001"),
        (r"_(?P<sample>[A-Z]+)\.", "S9/12_AB.png", "AB"),
        (r"^(x)?(?P<sample>\d+)", "x12.png", "12"),
        (r"^(S\d+)_", "a/S001_2_png.rf.0a1b2c3d4e5f.jpg", "S001"),
        (r"(\d+)\.png$", "S1_2_png.rf.0a1b2c3d4e5f.jpg", "2"),
        (r"^(S\d+)_", "S001/2.png", ""),
        (r"^(S)?", "a.png", ""),
    ],
)
def test_the_sample_in_the_name_of_a_file(expression, path, sample):
    assert SampleNaming(expression).sample(path) == sample


def test_without_an_expression_there_is_none():
    assert SampleNaming().sample("S1_2.png") == ""


@pytest.mark.parametrize("name", ["S1.png", "S1.rf.png", "S1_png.png", "S1_gif.rf.ab.png"])
def test_names_that_are_not_of_roboflow(name):
    assert original(name) == name


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sample_from": "("}, r"sample_from=\(: is no regular expression \("),
        ({"sample_from": r"S\d+"}, "must have a group, in brackets, that is the sample"),
        ({"defective_label": ()}, "defective_label=: is empty; give a name"),
        ({"non_defective_label": ("gut", "\u200b")}, "is empty; give a name"),
        ({"defective_label": ("a", "b"), "non_defective_label": ("b\u200b",)}, "=b: is one of `defective_label`, too"),
    ],
)
def test_what_cannot_be(values, said):
    with pytest.raises(BadSetting, match=said):
        CropNaming(**values)


def test_labels():
    naming = CropNaming(defective_label=("Riss", "Einschluß"), non_defective_label=("Gut",))
    texts = ["Gut", " Riss\u00a0", "Einschluß", "gut", "defective", ""]
    assert [naming.label(text) for text in texts] == [0, 1, 1, None, None, None]
    assert [CropNaming().label(text) for text in ("non_defective", "defective", "Gut")] == [0, 1, None]
