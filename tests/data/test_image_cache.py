"""The cache of pixels, and the fingerprint of a data set."""

import hashlib
import os

import numpy as np
import pytest
from class_folders import ROWS, SIDE, encoded, grey, load, manifest, with_file_size_limit
from PIL import Image

from wool_tf.data import dataset, image_cache
from wool_tf.errors import WoolError


def test_images_are_a_read_only_memory_map(folder):
    images = load(folder).images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_second_load_does_not_decode(folder, monkeypatch):
    first = load(folder)
    monkeypatch.setattr(image_cache, "_decode", None)
    second = load(folder)
    np.testing.assert_array_equal(first.images, second.images)
    assert first.fingerprint == second.fingerprint
    assert len(list((folder.parent / "cache").iterdir())) == 1


def test_changed_file_of_same_size_and_time_is_noticed(folder):
    file = folder / "defective/0.png"
    file.write_bytes(encoded(grey(10)))
    first, status = load(folder), file.stat()
    file.write_bytes(encoded(grey(11)))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_size == status.st_size
    second = load(folder)
    assert (second.images[0] == 11).all() and second.fingerprint != first.fingerprint


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"x" * len(data)])
def test_damaged_cache_is_made_again(folder, damage):
    first = load(folder)
    pixels = np.array(first.images)
    (file,) = (folder.parent / "cache").iterdir()
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(damage(data))
    np.testing.assert_array_equal(load(folder).images, pixels)


def test_a_label_that_is_corrected_is_heeded_though_the_pixels_are_cached(folder):
    Image.open(folder / "defective/0.png").save(folder / "defective/9.png", compress_level=0)
    rows = ROWS + "defective/9.png,defective,A\n"
    manifest(folder, rows)
    assert len(load(folder).paths) == 3
    manifest(folder, rows.replace("9.png,defective", "9.png,non_defective"))
    with pytest.raises(WoolError, match="with another label"):
        load(folder)


def test_unwritable_cache(folder):
    (folder.parent / "file").write_bytes(b"")
    with pytest.raises(WoolError, match="cannot be written"):
        dataset.load(folder, SIDE, folder.parent / "file" / "cache")


def test_full_disk_is_an_error_and_leaves_nothing(folder):
    with pytest.raises(WoolError, match="cannot be written"):
        # A file size limit makes write fail as a full disk does.
        with_file_size_limit(100, lambda: load(folder))
    assert not list((folder.parent / "cache").iterdir())


def test_fingerprint_depends_on_labels_groups_and_pixels(folder):
    seen = {load(folder).fingerprint}
    manifest(folder, ROWS)
    seen.add(load(folder).fingerprint)
    manifest(folder, ROWS.replace(",B", ",A"))
    seen.add(load(folder).fingerprint)
    manifest(folder, "path,label,group\ndefective/0.png,non_defective,A\nnon_defective/0.png,defective,B\n")
    seen.add(load(folder).fingerprint)
    for column in ("scan", "defect"):
        header, *rows = ROWS.splitlines()
        manifest(folder, "\n".join([f"{header},{column}", *(f"{row},{number}" for number, row in enumerate(rows))]))
        seen.add(load(folder).fingerprint)
    manifest(folder, ROWS)
    grey(3).save(folder / "defective/0.png")
    seen.add(load(folder).fingerprint)
    assert len(seen) == 7


def test_fingerprint_ignores_encoding_place_and_line_order(folder):
    manifest(folder, ROWS)
    first = load(folder).fingerprint
    header, *lines = ROWS.splitlines()
    manifest(folder, "\n".join([header, *reversed(lines)]))
    image = Image.open(folder / "defective/0.png").copy()
    image.save(folder / "defective/0.png", compress_level=0)
    moved = folder.rename(folder.with_name("moved"))
    assert load(moved).fingerprint == first


def test_fingerprint_is_sha256(folder):
    fingerprint = load(folder).fingerprint
    assert len(bytes.fromhex(fingerprint)) == hashlib.sha256().digest_size
