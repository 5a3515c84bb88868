import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from wool_tf.data import dataset, image_cache
from wool_tf.data.naming import CropNaming
from wool_tf.errors import WoolError

SIDE = 20


def grey(value, side=SIDE):
    return Image.fromarray(np.full((side, side), value, np.uint8))


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Class folders with two noisy images each."""
    rng = np.random.default_rng(0)
    for name in dataset.CLASSES:
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            pixels = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def load(folder, side=SIDE):
    return dataset.load(folder, side, folder.parent / "cache")


def refusal(folder, side=SIDE):
    """The one line that a bad folder gets; nothing may be left in the cache."""
    with pytest.raises(WoolError) as caught:
        load(folder, side)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line
    assert not list((folder.parent / "cache").glob("*"))
    return line


def manifest(folder, text, **options):
    with open(folder / "manifest.csv", "w", newline="", **options) as file:
        file.write(text)


ROWS = "path,label,group\ndefective/0.png,defective,A\nnon_defective/0.png,non_defective,B\n"


def test_class_folders(folder):
    data = load(folder)
    assert data.paths == ("defective/0.png", "defective/1.png", "non_defective/0.png", "non_defective/1.png")
    assert data.labels.tolist() == [1, 1, 0, 0] and data.labels.dtype == np.int64
    assert len(set(data.groups)) == 4
    assert data.images.shape == (4, SIDE, SIDE) and data.images.dtype == np.uint8
    for path, image in zip(data.paths, data.images, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(folder / path)))


def test_images_are_a_read_only_memory_map(folder):
    images = load(folder).images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_manifest_wins_and_keeps_groups(folder):
    manifest(folder, ROWS)
    data = load(folder)
    assert data.paths == ("defective/0.png", "non_defective/0.png")
    assert data.groups.tolist() == ["A", "B"] and data.labels.tolist() == [1, 0]


def test_manifest_with_mark_crlf_blanks_and_other_columns(folder):
    lines = ["group, label ,note,path", "B,non_defective,,non_defective/0.png", "", "A, defective,,./defective//0.png"]
    manifest(folder, "\r\n".join(lines), encoding="utf-8-sig")
    data = load(folder)
    assert data.paths == ("defective/0.png", "non_defective/0.png") and data.groups.tolist() == ["A", "B"]


def test_label_comes_from_the_manifest_not_the_folder(folder):
    manifest(folder, "path,label,group\ndefective/0.png,non_defective,A\nnon_defective/0.png,defective,B\n")
    assert load(folder).labels.tolist() == [0, 1]


def test_names_beyond_ascii(folder):
    os.rename(folder / "defective/0.png", folder / "defective/prøve å.png")
    assert "defective/prøve å.png" in load(folder).paths


def test_hidden_files_and_litter_are_ignored(folder):
    for name in (".DS_Store", "Thumbs.db", "._0.png"):
        (folder / "defective" / name).write_bytes(b"")
    assert len(load(folder).paths) == 4


def sixteen_bit():
    return np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE) * 163


@pytest.mark.parametrize("kind,suffix", [("PNG", "png"), ("TIFF", "tif")])
def test_16_bits_are_divided_by_257_and_rounded(folder, kind, suffix):
    values = sixteen_bit()
    Image.fromarray(values).save(folder / f"defective/2.{suffix}", kind)
    expected = [[round(int(value) / 257) for value in row] for row in values]
    data = load(folder)
    np.testing.assert_array_equal(data.images[data.paths.index(f"defective/2.{suffix}")], expected)


def test_big_endian_16_bit_tiff(folder):
    # Written by hand: Pillow writes little endian only.
    values = sixteen_bit()
    layout = [(258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, SIDE), (279, values.nbytes)]
    tags = [(256, SIDE), (257, SIDE), *layout]
    pixels = values.astype(">u2").tobytes()
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    file = b"MM\0*" + struct.pack(">I", 8 + len(pixels)) + pixels + struct.pack(">H", len(tags)) + entries + bytes(4)
    (folder / "defective/2.tiff").write_bytes(file)
    np.testing.assert_array_equal(load(folder).images[2], np.rint(values / 257))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_become_grey(folder, mode):
    Image.new("RGB", (SIDE, SIDE), (255, 255, 255)).convert(mode).save(folder / "defective/2.png")
    assert (load(folder).images[2] == 255).all()


def test_colour_becomes_luma(folder):
    Image.new("RGB", (SIDE, SIDE), (200, 100, 50)).save(folder / "defective/2.png")
    # ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B
    assert abs(int(load(folder).images[2, 0, 0]) - (0.299 * 200 + 0.587 * 100 + 0.114 * 50)) <= 1


def test_transparent_palette_makes_no_warning(folder):
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.save(folder / "defective/2.png", transparency=b"\x00\xff")
    assert (load(folder).images[2] == 90).all()


def test_what_lies_behind_a_transparent_image_is_not_guessed(folder):
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.save(folder / "defective/2.png", transparency=b"\x00\x80")
    assert "defective/2.png is transparent in places; save it without alpha" in refusal(folder)


def test_jpeg(folder):
    grey(100).save(folder / "defective/2.JPG", "JPEG")
    assert np.abs(load(folder).images[2].astype(int) - 100).max() <= 1


@pytest.mark.parametrize("side", [7, 13, 33])
def test_resizing_keeps_grey_values_and_position(folder, side):
    ramp = np.tile(np.linspace(20, 220, SIDE), (SIDE, 1))
    Image.fromarray(np.rint(ramp).astype(np.uint8)).save(folder / "defective/2.png")
    grey(77, side=51).save(folder / "defective/3.png")
    images = load(folder, side).images
    assert (images[3] == 77).all()
    assert abs(images[2].mean() - ramp.mean()) < 1
    # Pixel centres of the resized ramp lie on the same line; its ends are flattened by the border.
    centres = (np.arange(side) + 0.5) * SIDE / side - 0.5
    expected = 20 + 200 * centres / (SIDE - 1)
    inner = slice(side // 4, -(side // 4))
    assert np.abs(images[2, 0] - expected)[inner].max() < 3


def test_nearly_square_is_resized_and_oblong_is_refused(folder):
    Image.new("L", (100, 98), 50).save(folder / "defective/2.png")
    assert load(folder).images.shape == (5, SIDE, SIDE)
    for file in (folder.parent / "cache").iterdir():
        file.unlink()
    Image.new("L", (100, 97), 50).save(folder / "defective/2.png")
    line = refusal(folder)
    assert "defective/2.png" in line and "100x97" in line and "2%" in line


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


@pytest.mark.parametrize("text", ["path,label,group\n", "path,label,group\ndefective/0.png,defective,A\n"])
def test_manifest_without_a_class(folder, text):
    manifest(folder, text)
    assert "both classes are needed" in refusal(folder)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("", "column 'path' is missing"),
        ("path,label\ndefective/0.png,defective\n", "column 'group' is missing"),
        ("path|label|group\n", "'path|label|group'"),
        (ROWS + "defective/1.png,bad,C\n", "line 4: label of 'defective/1.png' must be"),
        (ROWS + "defective/1.png,defective, \n", "line 4: group of 'defective/1.png' is empty"),
        (ROWS + "defective/1.png,defective\n", "line 4: group of 'defective/1.png' is empty"),
        (ROWS + ",defective,C\n", "line 4: path is empty"),
        (ROWS + "..\\data\\defective\\1.png,defective,C\n", "leads out of the folder"),
        (ROWS + "defective\\9.png,defective,C\n", "defective/9.png does not exist"),
        (ROWS + "defective/0.png,defective,A\n", "defective/0.png is listed twice"),
        (ROWS + "defective/./0.png,defective,A\n", "defective/0.png is listed twice"),
        (ROWS + "defective/0.png,defective,C\n", "defective/0.png is listed in two groups"),
        (ROWS + "defective/0.png,non_defective,A\n", "defective/0.png is listed with two labels"),
        (ROWS + "defective/9.png,defective,C\n", "defective/9.png does not exist"),
        (ROWS + "defective,defective,C\n", "defective is not a file"),
        (ROWS + "../data/defective/1.png,defective,C\n", "leads out of the folder"),
        (ROWS + "/etc/passwd,defective,C\n", "/etc/passwd leads out of the folder"),
        (ROWS + '"defective/1.png\n",defective,"C', "is not CSV"),
        (ROWS + '"defective/a\nb.png",defective,C\n', "has a name that is not text"),
        (ROWS + "a\0b.png,defective,C\n", "manifest.csv"),
        (ROWS + f"{'a' * 5000}.png,defective,C\n", "a.png"),
    ],
)
def test_bad_manifest(folder, text, expected):
    manifest(folder, text)
    line = refusal(folder)
    assert expected in line or expected == "manifest.csv" and "cannot be read" in line


def test_manifest_in_another_encoding(folder):
    manifest(folder, ROWS.replace("A", "prøve"), encoding="latin-1")
    data = load(folder)
    assert data.groups.tolist() == ["prøve", "B"]
    assert data.remarks == ("manifest.csv is not UTF-8 text; read as Windows-1252 (Latin-1)",)


def test_unreadable_manifest_is_not_passed_over(folder):
    (folder / "manifest.csv").symlink_to("absent.csv")
    assert "manifest.csv" in refusal(folder)


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


def test_pipe_does_not_block(folder):
    os.mkfifo(folder / "defective/2.png")
    assert "defective/2.png is not a file" in refusal(folder)


@pytest.mark.parametrize("name", ["notes.txt", "2.bmp", "more"])
def test_unexpected_file_in_a_class_folder(folder, name):
    (folder / "defective" / name).write_bytes(b"x")
    assert f"defective/{name} is not an image" in refusal(folder)


def noise_image():
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE), np.uint8))


def png_bomb(side):
    """A valid header of a side × side image with hardly any data."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content,expected",
    [
        (b"", "is empty (0 bytes)"),
        (b"not an image", "is not a readable PNG, TIFF, JPEG or DICOM image"),
        (encoded(noise_image())[:20], "2.png"),
        (encoded(noise_image())[:200], "cannot be decoded"),
        (encoded(noise_image(), "JPEG")[:500], "cannot be decoded"),
        (encoded(noise_image(), "TIFF")[:200], "2.png"),
        (encoded(noise_image(), "BMP"), "is not a readable PNG, TIFF, JPEG or DICOM image"),
        (png_bomb(8000), "8000x8000 pixels; at most 50,000,000"),
        (png_bomb(10_000), "too many pixels"),
        (png_bomb(60_000), "too many pixels"),
        (encoded(grey(1), "TIFF", save_all=True, append_images=[grey(2)]), "holds 2 images"),
        (encoded(Image.new("F", (SIDE, SIDE)), "TIFF"), "32-bit pixels"),
        (encoded(Image.new("I", (SIDE, SIDE)), "TIFF"), "32-bit pixels"),
    ],
)
def test_bad_image(folder, content, expected):
    (folder / "defective/2.png").write_bytes(content)
    line = refusal(folder)
    assert "defective/2.png" in line and expected in line


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_truncation_is_refused_unless_no_pixel_is_lost(folder, kind):
    whole = encoded(noise_image(), kind)
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    for length in range(1, len(whole), 23):
        (folder / "defective/2.png").write_bytes(whole[:length])
        try:
            images = load(folder).images
        except WoolError as error:
            assert "defective/2.png" in str(error)
        else:
            # A PNG ends with checksums and an empty chunk, 20 bytes without pixels.
            assert kind == "PNG" and length >= len(whole) - 20
            np.testing.assert_array_equal(images[2], expected)


def test_a_flipped_bit_never_gives_other_pixels(folder):
    whole, file = encoded(noise_image()), folder / "defective/2.png"
    for position in range(8, len(whole), 17):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        try:
            images = load(folder).images
        except WoolError as error:
            assert "defective/2.png" in str(error)
        else:
            np.testing.assert_array_equal(images[2], np.asarray(noise_image()))


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


def test_groups_are_known_from_a_manifest_only(folder):
    assert not load(folder).grouped
    manifest(folder, ROWS)
    assert load(folder).grouped


def skipping(folder, side=SIDE):
    return dataset.load(folder, side, folder.parent / "cache", on_bad_image="skip")


BAD = {
    "defective/3.png": (b"", "is empty (0 bytes)"),
    "defective/4.png": (b"not an image", "is not a readable PNG, TIFF, JPEG or DICOM image"),
    "non_defective/5.png": (encoded(Image.effect_noise((SIDE, SIDE), 50))[:200], "cannot be decoded"),
    "non_defective/6.png": (encoded(Image.new("L", (SIDE, 2 * SIDE))), "images must be square"),
    "non_defective/notes.txt": (b"x", "is not an image"),
}


def test_skipping_keeps_the_good_and_names_every_bad_one(folder):
    good = load(folder)
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content)
    data = skipping(folder)
    np.testing.assert_array_equal(data.images, good.images)
    assert (data.paths, data.labels.tolist()) == (good.paths, good.labels.tolist())
    assert data.fingerprint == good.fingerprint
    assert len(data.skipped) == len(BAD)
    for name, (_, reason) in BAD.items():
        assert any(line.startswith(name) and reason in line for line in data.skipped)


def test_skipped_images_are_remembered_and_not_decoded_again(folder, monkeypatch):
    (folder / "defective/4.png").write_bytes(b"not an image")
    first = skipping(folder)
    monkeypatch.setattr(image_cache, "_decode", None)
    again = skipping(folder)
    np.testing.assert_array_equal(again.images, first.images)
    assert again.skipped == first.skipped and len(again.skipped) == 1
    with pytest.raises(WoolError, match="4.png is not a readable"):
        load(folder)


def test_a_lost_note_of_skipped_images_is_made_again(folder):
    (folder / "defective/4.png").write_bytes(b"not an image")
    first = skipping(folder)
    for note in (folder.parent / "cache").glob("*.json"):
        note.unlink()
    again = skipping(folder)
    assert again.skipped == first.skipped
    np.testing.assert_array_equal(again.images, first.images)


def test_skipping_bad_rows_of_a_manifest(folder):
    manifest(folder, ROWS + "defective/1.png,bad,C\ndefective/9.png,defective,C\ndefective/0.png,defective,A\n")
    data = skipping(folder)
    assert data.paths == ("defective/0.png", "non_defective/0.png")
    assert len(data.skipped) == 3


def test_of_the_same_images_skipping_keeps_what_is_certain(folder):
    shutil.copy(folder / "defective/0.png", folder / "defective/9.png")
    assert "defective/0.png" in skipping(folder).paths and "defective/9.png" not in skipping(folder).paths
    shutil.copy(folder / "defective/0.png", folder / "non_defective/9.png")
    data = skipping(folder)
    assert data.paths == ("defective/1.png", "non_defective/0.png", "non_defective/1.png")
    assert len(data.skipped) == 3


@pytest.mark.parametrize("how", [{"compress_level": 0}, {"format": "TIFF"}])
def test_the_same_pixels_in_another_file_are_the_same_image(folder, how):
    image = Image.open(folder / "defective/0.png")
    image.save(folder / "non_defective/9.png", **how)
    line = refusal(folder)
    assert "non_defective/9.png is the same image as defective/0.png, with another label" in line
    data = skipping(folder)
    assert data.paths == ("defective/1.png", "non_defective/0.png", "non_defective/1.png")
    np.testing.assert_array_equal(data.images[0], np.asarray(Image.open(folder / "defective/1.png")))
    np.testing.assert_array_equal(data.images[2], np.asarray(Image.open(folder / "non_defective/1.png")))
    assert len(data.skipped) == 2


def test_a_label_that_is_corrected_is_heeded_though_the_pixels_are_cached(folder):
    Image.open(folder / "defective/0.png").save(folder / "defective/9.png", compress_level=0)
    rows = ROWS + "defective/9.png,defective,A\n"
    manifest(folder, rows)
    assert len(load(folder).paths) == 3
    manifest(folder, rows.replace("9.png,defective", "9.png,non_defective"))
    with pytest.raises(WoolError, match="with another label"):
        load(folder)


def test_a_file_listed_with_two_labels_is_not_trusted(folder):
    manifest(folder, ROWS + "defective/0.png,non_defective,A\ndefective/1.png,defective,C\n")
    assert skipping(folder).paths == ("defective/1.png", "non_defective/0.png")


def test_a_scan_shows_one_sample(folder):
    header, first, second = ROWS.splitlines()
    manifest(folder, "\n".join([f"{header},scan", f"{first},s0", f"{second},s0"]))
    assert "non_defective/0.png is of scan s0, as defective/0.png is, but of another group" in refusal(folder)


def test_images_that_the_manifest_does_not_name_are_counted(folder):
    assert load(folder).unlisted == 0
    manifest(folder, ROWS)
    assert load(folder).unlisted == 2
    shutil.copy(folder / "defective/0.png", folder / "copy.png")
    manifest(folder, ROWS + "copy.png,non_defective,A\ndefective/1.png,defective,A\n")
    assert skipping(folder).unlisted == 1


def test_inverted_16_bit_tiff_is_refused(folder):
    values = sixteen_bit()
    Image.fromarray(values).save(folder / "defective/2.tif", "TIFF", tiffinfo={262: 0})
    assert "counts white as zero" in refusal(folder)


def test_nothing_left_after_skipping_is_an_error(folder):
    for file in (folder / "defective").iterdir():
        file.write_bytes(b"")
    with pytest.raises(WoolError, match="no defective images among those that are not bad .*0.png is empty"):
        skipping(folder)


def test_an_unknown_way_with_bad_images(folder):
    with pytest.raises(WoolError, match="on_bad_image=ignore: must be fail or skip"):
        dataset.load(folder, SIDE, folder.parent / "cache", on_bad_image="ignore")


def test_defects_and_scans_of_a_manifest(folder):
    manifest(
        folder,
        "path,label,group,defect,scan\ndefective/0.png,defective,A,D1+D3,s0\nnon_defective/0.png,non_defective,A,,s1\n",
    )
    data = load(folder)
    assert data.defects.tolist() == ["D1+D3", ""] and data.scans.tolist() == ["s0", "s1"]
    assert data.grouped_by("sample").tolist() == ["A", "A"]
    assert data.grouped_by("scan").tolist() == ["s0", "s1"]
    assert data.grouped_by("image").tolist() == list(data.paths)


def test_grouping_needs_what_it_groups_by(folder):
    with pytest.raises(WoolError, match="group_by=scan.*column scan"):
        load(folder).grouped_by("scan")
    with pytest.raises(WoolError, match="group_by=slab: must be one of sample, scan, image"):
        load(folder).grouped_by("slab")


def test_progress(folder):
    told = []
    dataset.load(folder, SIDE, folder.parent / "cache", lambda done, count: told.append((done, count)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_unwritable_cache(folder):
    (folder.parent / "file").write_bytes(b"")
    with pytest.raises(WoolError, match="cannot be written"):
        dataset.load(folder, SIDE, folder.parent / "file" / "cache")


def test_full_disk_is_an_error_and_leaves_nothing(folder):
    with pytest.raises(WoolError, match="cannot be written"):
        # A file size limit makes write fail as a full disk does.
        _with_file_size_limit(100, lambda: load(folder))
    assert not list((folder.parent / "cache").iterdir())


def _with_file_size_limit(size, call):
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_fingerprint_is_sha256(folder):
    fingerprint = load(folder).fingerprint
    assert len(bytes.fromhex(fingerprint)) == hashlib.sha256().digest_size


def test_importing_loads_neither_tensorflow_nor_keras():
    code = (
        "import sys, wool_tf.data.dataset, wool_tf.data.folds, wool_tf.simulation.campaign; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'tf_keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def brought(folder, **naming):
    return dataset.load(folder, SIDE, folder.parent / "cache", naming=CropNaming(**naming))


def test_names_that_look_alike_are_one_group_label_scan_and_type(folder):
    rows = ["path,label,group,defect,scan"]
    rows += ["defective/0.png,defective,S1,D1,a/s0", "defective/1.png,def\u00adective\u00a0,S1\u200b, D1\ufeff,a\\s0"]
    rows += ["non_defective/0.png,non_defective,Pr\u00fcf,,", "non_defective/1.png,non_defective,Pru\u0308f,,"]
    manifest(folder, "\n".join(rows), encoding="utf-8")
    data = load(folder)
    assert data.labels.tolist() == [1, 1, 0, 0]
    assert data.groups.tolist() == ["S1", "S1", "Pr\u00fcf", "Pr\u00fcf"]
    assert data.defects.tolist() == ["D1", "D1", "", ""] and data.scans.tolist() == ["a/s0", "a/s0", "", ""]
    assert (
        data.remarks[0] == r"2 groups, 2 of them written in several ways: 'S1' = 'S1\u200b'; 'Pr\xfcf' = 'Pru\u0308f'"
    )


def test_groups_that_may_be_one_are_told_and_stay_apart(folder):
    manifest(folder, ROWS.replace(",A", ",S1").replace(",B", ",s01"))
    data = load(folder)
    assert data.groups.tolist() == ["S1", "s01"]
    assert len(data.remarks) == 1 and data.remarks[0].endswith("write them alike: 'S1' and 's01'")


def test_names_of_files_that_look_alike_are_none_of_samples(folder):
    os.rename(folder / "defective/1.png", folder / "defective/00.png")
    assert load(folder).remarks == ()


def test_the_fingerprint_is_that_of_either_form_of_names(folder):
    os.rename(folder / "defective/0.png", folder / "defective/\u00e9.png")
    os.rename(folder / "defective/1.png", folder / "defective/f.png")
    composed, rows = load(folder), ROWS.replace("0.png,d", "\u00e9.png,d")
    manifest(folder, rows, encoding="utf-8")
    listed = load(folder)
    os.rename(folder / "defective/\u00e9.png", folder / "defective/e\u0301.png")
    assert load(folder).fingerprint == listed.fingerprint
    assert load(folder).paths[0] == "defective/e\u0301.png" and load(folder).unlisted == listed.unlisted
    (folder / "manifest.csv").unlink()
    # In the order of characters e would come before f, and é after it.
    assert load(folder).fingerprint == composed.fingerprint
    assert load(folder).paths[:2] == ("defective/f.png", "defective/e\u0301.png")


def test_class_names_of_the_user(folder):
    (folder / "defective").rename(folder / "Fehlerhaft")
    (folder / "non_defective").rename(folder / "Gut")
    (folder / "Riss").mkdir()
    grey(7).save(folder / "Riss/0.png")
    line = refusal(folder)
    assert (
        "has neither a manifest.csv nor the folders defective/ and non_defective/; found Fehlerhaft/, Gut/, Riss/"
        in line
    )
    assert line.endswith("; map them with --defective_label and --non_defective_label")
    with pytest.raises(
        WoolError, match="no folder non_defective/; .*; found Gut/, Riss/; map one with --non_defective_label"
    ):
        brought(folder, defective_label=("Fehlerhaft",))
    both = brought(folder, defective_label=("Fehlerhaft", "Riss"), non_defective_label=("Gut",))
    assert both.paths == ("Fehlerhaft/0.png", "Fehlerhaft/1.png", "Gut/0.png", "Gut/1.png", "Riss/0.png")
    assert both.labels.tolist() == [1, 1, 0, 0, 1] and both.remarks == ()
    one = brought(folder, defective_label=("Fehlerhaft",), non_defective_label=("Gut",))
    assert one.remarks == ("folders with images that are of neither class, and are not used: Riss/",)
    assert one.labels.tolist() == [1, 1, 0, 0] and one.fingerprint != both.fingerprint


def test_labels_of_the_user_in_a_table_of_excel(folder):
    text = 'Path;Label;Group;Boxes\r\ndefective\\0.png;Fehlerhaft;Prüf 1;"0 0 4,5 4;5 5 6 6"\r\n'
    text += "non_defective\\0.png;Gut;Prüf 2;\r\n"
    manifest(folder, text, encoding="cp1252")
    with pytest.raises(WoolError) as caught:
        load(folder)
    assert str(caught.value).endswith(
        "manifest.csv: labels must be non_defective or defective; found Fehlerhaft, Gut; map them with "
        "--defective_label and --non_defective_label"
    )
    data = brought(folder, defective_label=("Fehlerhaft",), non_defective_label=("Gut",))
    assert data.groups.tolist() == ["Prüf 1", "Prüf 2"] and data.labels.tolist() == [1, 0]
    assert data.paths == ("defective/0.png", "non_defective/0.png") and data.boxes == ("0 0 4.5 4;5 5 6 6", "")


def test_the_sample_in_the_names_of_files(folder):
    for name in dataset.CLASSES:
        for number in range(2):
            os.rename(folder / name / f"{number}.png", folder / name / f"S{number}_{name}.png")
    data = brought(folder, sample_from=r"^(S\d)_")
    assert data.groups.tolist() == ["S0", "S1", "S0", "S1"] and data.grouped
    assert data.fingerprint != load(folder).fingerprint
    os.rename(folder / "defective/S0_defective.png", folder / "defective/x.png")
    with pytest.raises(WoolError, match="defective/x.png has a name in which --sample_from finds no sample"):
        brought(folder, sample_from=r"^(S\d)_")


def test_the_sample_in_the_names_where_a_manifest_names_none(folder):
    manifest(folder, "path,label\ndefective/0.png,defective\nnon_defective/0.png,non_defective\n")
    assert "column 'group' is missing" in refusal(folder)
    assert brought(folder, sample_from=r"(\d)").groups.tolist() == ["0", "0"]
    manifest(folder, ROWS.replace(",B", ","))
    assert brought(folder, sample_from=r"(\d)").groups.tolist() == ["A", "0"]
    manifest(folder, ROWS)
    data = brought(folder, sample_from=r"(\d)")
    assert data.groups.tolist() == ["A", "B"]
    assert data.remarks == ("--sample_from is not used: manifest.csv names the group of every image",)


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
