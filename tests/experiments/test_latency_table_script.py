"""The script around the latency table: the file for a board, and what is refused."""

import pytest

import scripts
from wool_board.latency import convolution_archive
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import latency_table


def test_writes_the_archive_for_a_board(tmp_path):
    finished = scripts.run("latency_table.py", "--image_size=32", f"--models={tmp_path / 'new' / 'c.zip'}")
    assert finished.returncode == 0, finished.stderr
    ordered = convolution_archive.read(tmp_path / "new" / "c.zip")
    assert ordered == latency_table.to_measure([ResNetSpec.full(18, 2, (32, 32, 1))])
    assert finished.stdout == f"{len(ordered.models()):,} convolutions: {tmp_path / 'new' / 'c.zip'}\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--out, --models: give one of them"),
        (["--out=t.json", "--models=c.zip"], "--out, --models: give one of them"),
        (["--out="], "--out=: is empty; give a path"),
        (["--models="], "--models=: is empty; give a path"),
        (["--models=c.zip", "--depths=19"], "--depths=19: each must be one of 18, 34, 50, 101, 152"),
        (["--models=c.zip", "--depths=x"], "--depths=x: must be numbers"),
        (["--models=c.zip", "--depths="], "--depths=: give at least one"),
        (["--models=c.zip", "--image_size=31"], "--image_size"),
        (["--out=t.json", "--threads=4096"], "--threads=4096: must be 1 to "),
    ],
)
def test_refusals(flags, message, tmp_path):
    assert message in scripts.refusal("latency_table.py", *flags, cwd=tmp_path)
