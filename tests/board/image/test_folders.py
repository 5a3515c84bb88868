"""wool_board/image/folders.py: which files of a folder are ready."""

import os
import time

import pytest

from wool_board.image import folders


class Clock:
    """Stands in for `time` in `folders`."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(folders, "time", made)
    return made


def ready(watch: folders.FolderWatch) -> list[str]:
    return [path.name for path in watch.poll()]


def test_a_renamed_file_does_not_wait(tmp_path):
    watch = folders.FolderWatch(tmp_path, lambda *_: None, lambda _: None)
    (tmp_path / ".part").write_bytes(b"whole")
    assert watch.poll() == []
    time.sleep(0.05)  # A clock of file systems ticks every few milliseconds.
    os.rename(tmp_path / ".part", tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"perhaps more is to come")
    assert watch.poll() == [tmp_path / "a.png"]


def test_a_file_is_ready_when_it_has_settled(clock, tmp_path):
    watch, file = folders.FolderWatch(tmp_path, lambda *_: None, lambda _: None), tmp_path / "a.PNG"
    for content in (b"a", b"ab", b"abc"):
        file.write_bytes(content)
        assert ready(watch) == []
        clock.now += folders.SETTLING - 0.01
    assert ready(watch) == []
    clock.now += 0.02
    assert ready(watch) == ready(watch) == ["a.PNG"]
    watch.done(file)
    clock.now += 1e6
    assert ready(watch) == []
    file.write_bytes(b"abcd")
    assert ready(watch) == []
    clock.now += folders.SETTLING
    assert ready(watch) == ["a.PNG"]
    assert watch.unchanged(file)
    file.write_bytes(b"abcde")
    assert not watch.unchanged(file)


def test_a_doubtful_file_gets_a_second_chance(clock, tmp_path):
    watch, file = folders.FolderWatch(tmp_path, lambda *_: None, lambda _: None), tmp_path / "a.jpeg"
    file.write_bytes(b"a")
    ready(watch)
    clock.now += folders.SETTLING
    assert ready(watch) == ["a.jpeg"]
    assert watch.doubt(file)
    clock.now += folders.PATIENCE - folders.SETTLING - 0.01
    assert ready(watch) == []
    clock.now += 0.02
    assert ready(watch) == ["a.jpeg"]
    assert not watch.doubt(file)


def test_files_that_are_gone_are_forgotten(clock, tmp_path):
    watch, file, away = (
        folders.FolderWatch(tmp_path, lambda *_: None, lambda _: None),
        tmp_path / "a.tif",
        tmp_path / "elsewhere",
    )
    file.write_bytes(b"a")
    ready(watch)
    clock.now += folders.SETTLING
    (path,) = watch.poll()
    watch.done(path)
    file.rename(away)
    assert ready(watch) == []
    assert not watch.unchanged(file)
    away.rename(file)
    clock.now += 1
    ready(watch)
    clock.now += folders.SETTLING
    assert ready(watch) == ["a.tif"]


def test_memory_stays_bounded(tmp_path):
    import tracemalloc

    watch, sizes = folders.FolderWatch(tmp_path, lambda *_: None, lambda _: None), []
    tracemalloc.start()
    for turn in range(20):
        for number in range(50):
            (tmp_path / f"{turn}-{number}.png").touch()
        watch.poll()
        for file in tmp_path.iterdir():
            file.unlink()
        watch.poll()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[10:]) < sizes[9] + 10_000


def test_a_folder_that_is_away_for_a_while_brings_no_file_twice(clock, tmp_path):
    told = []
    folder, away = tmp_path / "in", tmp_path / "away"
    folder.mkdir()
    watch = folders.FolderWatch(folder, lambda path, error: told.append((path, error.strerror)), print)
    (folder / "a.png").write_bytes(b"a")
    ready(watch)
    clock.now += folders.SETTLING
    (path,) = watch.poll()
    watch.done(path)
    for _ in range(2):
        folder.rename(away)
        assert ready(watch) == ready(watch) == []
        away.rename(folder)
        clock.now += 100
        assert ready(watch) == []
    assert told == [(str(folder), "No such file or directory")] * 2


def test_the_oldest_file_comes_first(clock, tmp_path):
    watch = folders.FolderWatch(tmp_path, lambda *_: None, lambda _: None)
    for number, name in enumerate(("c.png", "a.png", "b.png")):
        (tmp_path / name).write_bytes(b"a")
        os.utime(tmp_path / name, (1e9 + number, 1e9 + number))
    assert ready(watch) == ["c.png", "a.png", "b.png"]


def test_what_is_gone_is_forgotten_though_another_folder_cannot_be_read(clock, tmp_path, monkeypatch):
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "kept.png").write_bytes(b"a")
    watch, scan = folders.FolderWatch(tmp_path, lambda *_: None, lambda *_: None), os.scandir
    watch.poll()

    def refuse(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(folders.os, "scandir", refuse)
    for number in range(50):
        (tmp_path / f"{number}.png").write_bytes(b"a")
        watch.poll()
        (tmp_path / f"{number}.png").unlink()
    watch.poll()
    assert set(watch._seen) == {str(tmp_path / "shut" / "kept.png")}
