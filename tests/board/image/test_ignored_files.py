"""wool_board/image/ignored_files.py: what lies among images and is nobody's image."""

import os

import pytest

from wool_board.image import folders, ignored_files

LITTER = [
    "@eaDir", "#recycle", "$RECYCLE.BIN", ".Trash-1000", "System Volume Information", "__MACOSX", "lost+found",
    "Thumbs.db", "thumbs.DB", "desktop.ini", "ehthumbs.db", "._S1.png", ".DS_Store", ".hidden.png", "Icon\r",
    "S1.png:Zone.Identifier", "S1.png\uf03aZone.Identifier", "S1.png:Zone.Identifier:$DATA", "S1.png:com.dropbox.attrs",
    "S1 (Ann's conflicted copy 2024-05-01).png", "S1 (conflicted copy 2024-05-01 101530).png", "S1 (Case Conflict).png",
    "S1 (SFConflict ann 2024-05-01-10-15-30).png", "S1.sync-conflict-20240501-101530-ABCDEF1.png",
    "S1_conflict-20240501-101530.png", "S1_conflict-bob-20240501-101530.png", "S1_DiskStation_UTF8Conflict.png",
    "S1 [conflicted].png", "S1.Conflict.png", "S1 (Copie en conflit de Ann 2024-05-01).png", "S1 (Konfliktkopie).png",
    "S1~20240501-101530.png", "Thumbs.db:encryptable", "S1.png_Zone.Identifier", "RECYCLED", "~snapshot",
    "S1_NAS_May-01-1015-2024_Conflict.png", "~$table.png", ".~lock.table.png#",
    "S1 (Unicode Encoding Conflict).png", "S1 (Whitespace Conflict).png", "S1 (Selective Sync Conflict 1).png",
    "Temporary Items",
]  # fmt: skip

IMAGES = [
    "S1.png", "S1 (1).png", "S1 copy.png", "#1.png", "$5.png", "~1.png", "@1.png", "2024-05-01T10:15:30.png",
    "Thumbs.png", "desktop.png", "conflict.png", "recycle", "S1_(conflict).png", "12:30.png", "eaDir", ".", "..",
    "S1-DESKTOP-AB12CD3.png",  # OneDrive's second copies, but also what a camera's program may call every image
]  # fmt: skip


@pytest.mark.parametrize("name", LITTER)
def test_ignored_names(name):
    assert ignored_files.is_ignored(name)


@pytest.mark.parametrize("name", IMAGES)
def test_images_of_people(name):
    assert not ignored_files.is_ignored(name)


@pytest.fixture
def storage(tmp_path):
    """An image as network storage keeps it."""
    for name in ("S1.png", "@eaDir/S1.png/SYNOPHOTO_THUMB_XL.jpg", "#recycle/old.png", "sub/._S2.png", "sub/S2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_a_folder_shows_images_and_tells_what_it_left_out(storage):
    left_out = []
    found = folders.images(str(storage), pytest.fail, left_out.append)
    assert sorted(entry.name for entry in found) == ["S1.png", "S2.png"]
    assert sorted(os.path.relpath(path, storage) for path in left_out) == ["#recycle", "@eaDir", "sub/._S2.png"]


def test_a_watch_tells_once(storage):
    told = []
    watch = folders.FolderWatch(storage, pytest.fail, told.append)
    watch.poll()
    (storage / "Thumbs.db").touch()
    watch.poll()
    assert len(told) == 1 and len(told[0]) == 3


def test_a_watch_says_nothing_of_files_that_are_being_written(tmp_path):
    (tmp_path / ".S1.png.part").touch()
    folders.FolderWatch(tmp_path, pytest.fail, pytest.fail).poll()


def test_the_words():
    text = "left out as hidden, of the system or second copies of a conflict"
    assert ignored_files.told(["b", "a\n"]) == rf"2 {text}: a\x0a, b"
    assert ignored_files.told([os.fsdecode(b"caf\xe9.sync")]) == rf"1 {text}: caf\udce9.sync"
    assert ignored_files.told([str(number) for number in range(1000)]) == f"1,000 {text}: 0, 1, 10 and 997 more"


def test_images_of_other_formats_are_told_apart_from_litter_and_once(tmp_path):
    for name in ("a.png", "b.BMP", "c.webp", "notes.txt", "Thumbs.db", ".d.bmp"):
        (tmp_path / name).write_bytes(b"x")
    left_out = []
    assert [entry.name for entry in folders.images(str(tmp_path), pytest.fail, left_out.append)] == ["a.png"]
    assert sorted(map(os.path.basename, left_out)) == [".d.bmp", "Thumbs.db", "b.BMP", "c.webp"]
    told = []
    watch = folders.FolderWatch(tmp_path, pytest.fail, told.append)
    for _ in range(3):
        watch.poll()
    assert sorted(sorted(map(os.path.basename, each)) for each in told) == [
        [".d.bmp", "Thumbs.db"],
        ["b.BMP", "c.webp"],
    ]
