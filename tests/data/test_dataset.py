"""Class folders: which images are loaded, and what is wrong with a folder."""

import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from class_folders import ROWS, SIDE, grey, load, manifest, refusal
from PIL import Image

from wool_tf.data import dataset
from wool_tf.errors import WoolError


def test_class_folders(folder):
    data = load(folder)
    assert data.paths == ("defective/0.png", "defective/1.png", "non_defective/0.png", "non_defective/1.png")
    assert data.labels.tolist() == [1, 1, 0, 0] and data.labels.dtype == np.int64
    assert len(set(data.groups)) == 4
    assert data.images.shape == (4, SIDE, SIDE) and data.images.dtype == np.uint8
    for path, image in zip(data.paths, data.images, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(folder / path)))


def test_names_beyond_ascii(folder):
    os.rename(folder / "defective/0.png", folder / "defective/prøve å.png")
    assert "defective/prøve å.png" in load(folder).paths


def test_hidden_files_and_litter_are_ignored(folder):
    for name in (".DS_Store", "Thumbs.db", "._0.png"):
        (folder / "defective" / name).write_bytes(b"")
    assert len(load(folder).paths) == 4


def test_missing_folder(tmp_path):
    assert "no such folder" in refusal(tmp_path / "absent")


def test_folder_is_a_file(folder):
    with pytest.raises(WoolError, match="is not a folder"):
        load(folder / "defective/0.png")


def test_neither_manifest_nor_class_folders(tmp_path):
    (tmp_path / "data").mkdir()
    line = refusal(tmp_path / "data")
    assert "manifest.csv" in line and "defective/" in line


def test_one_class_folder_only(folder):
    (folder / "non_defective").rename(folder / "good")
    assert "no folder non_defective/" in refusal(folder)


def test_empty_class(folder):
    for file in (folder / "defective").iterdir():
        file.unlink()
    assert "no defective images" in refusal(folder)


def test_link_out_of_the_folder(folder):
    outside = folder.parent / "outside.png"
    grey(1).save(outside)
    (folder / "defective/2.png").symlink_to(outside)
    assert "defective/2.png leads out of the folder" in refusal(folder)


def test_link_to_a_listed_file(folder):
    (folder / "defective/2.png").symlink_to("0.png")
    assert "defective/2.png is the same image as defective/0.png" in refusal(folder)


def test_link_loop(folder):
    (folder / "defective/2.png").symlink_to("2.png")
    assert "defective/2.png" in refusal(folder)


def test_a_link_loop_beside_the_class_folders_is_no_folder(folder):
    before = load(folder)
    for name in ("round", "a\nb"):
        (folder / name).symlink_to(name)
    assert load(folder).fingerprint == before.fingerprint


def test_pipe_does_not_block(folder):
    os.mkfifo(folder / "defective/2.png")
    assert "defective/2.png is not a file" in refusal(folder)


@pytest.mark.parametrize("name", ["notes.txt", "2.bmp", "more"])
def test_unexpected_file_in_a_class_folder(folder, name):
    (folder / "defective" / name).write_bytes(b"x")
    assert f"defective/{name} is not an image" in refusal(folder)


def test_images_in_folders_within_a_class_are_not_passed_over(folder):
    (folder / "defective" / "2024-05-01").mkdir()
    assert "defective/2024-05-01 is a folder; move its images up" in refusal(folder)


def test_three_bad_files_are_named_and_the_others_counted(folder):
    (folder / "defective/a.png").write_bytes(b"")
    (folder / "defective/b.txt").write_bytes(b"x")
    for name in "cde":
        (folder / f"non_defective/{name}.png").write_bytes(name.encode())
    line = refusal(folder)
    assert line.count("defective/") == 3 and line.endswith("; and 2 more")
    assert "a.png is empty" in line and "b.txt is not an image" in line


def test_an_image_twice_with_another_label_or_in_another_group(folder):
    shutil.copy(folder / "defective/0.png", folder / "defective/9.png")
    assert "defective/9.png is the same image as defective/0.png; remove one" in refusal(folder)
    (folder / "defective/9.png").rename(folder / "non_defective/9.png")
    line = refusal(folder)
    assert "non_defective/9.png is the same image as defective/0.png, with another label" in line
    assert "defective/0.png is the same image as non_defective/9.png, with another label" in line
    manifest(folder, ROWS + "non_defective/9.png,defective,A\n")
    assert len(load(folder).paths) == 3


def test_a_name_that_is_not_text(folder):
    name = os.fsdecode(b"defective/d\xe9.png")
    Image.new("L", (SIDE, SIDE), 7).save(folder / name)
    assert "has a name that is not text" in refusal(folder)


def test_class_folders_may_be_links(folder, tmp_path):
    (folder / "defective").rename(tmp_path / "elsewhere")
    (folder / "defective").symlink_to(tmp_path / "elsewhere")
    assert load(folder).labels.sum() == 2


def test_progress(folder):
    told = []
    dataset.load(folder, SIDE, folder.parent / "cache", lambda done, count: told.append((done, count)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_importing_loads_neither_tensorflow_nor_keras():
    code = (
        "import sys, wool_tf.data.dataset, wool_tf.data.folds, wool_tf.simulation.campaign; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'tf_keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_storage_and_tools_leave_is_no_crop(folder):
    good = load(folder)
    litter = [
        "@eaDir/0.png/SYNOPHOTO_THUMB.jpg",
        "0.png:Zone.Identifier",
        "0 (conflicted copy 2024-05-01).png",
        "Thumbs.db",
    ]
    for name in litter:
        (folder / "defective" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "defective/0.png", folder / "defective" / name)
    data = load(folder)
    assert data.fingerprint == good.fingerprint
    (remark,) = data.remarks
    assert remark.startswith(
        "4 left out as hidden, of the system or second copies of a conflict: defective/0 (conflicted"
    )
    # Nor where a script that listed the folder wrote it into a manifest.
    manifest(folder, ROWS + f"defective/{litter[0]},defective,A\ndefective/{litter[2]},defective,C\n")
    data = load(folder)
    assert data.paths == ("defective/0.png", "non_defective/0.png") and data.unlisted == 2
    assert data.remarks[0].startswith("2 left out as hidden")


def test_a_copy_for_another_process_names_the_file_of_the_cache_that_is_gone(folder):
    data = load(folder)
    first, second, third = (pickle.loads(pickle.dumps(data)) for _ in range(3))
    np.testing.assert_array_equal(first.images, data.images)
    (file,) = (folder.parent / "cache").glob("*.npy")
    kept = pickle.dumps(pickle.loads(pickle.dumps(second)))
    shutil.rmtree(file.parent)
    for copy in (third, pickle.loads(kept), pickle.loads(pickle.dumps(first))):
        assert copy.fingerprint == data.fingerprint
        with pytest.raises(
            WoolError, match=f"^{file}: was deleted or changed while a run was at work; start again, and "
        ):
            copy.images  # noqa: B018
    # What is mapped stays.
    np.testing.assert_array_equal(first.images, data.images)
    with pytest.raises(AttributeError, match="Dataset has no attribute 'pictures'"):
        first.pictures  # noqa: B018
