"""wool_tf/data/csv_tables.py: CSV as spreadsheets write it."""

import pytest

from wool_tf.data import csv_tables
from wool_tf.errors import WoolError

TEXT = "Path{0} label {0}size\r\na.png{0}Prüfling{0}1\r\n\r\n  b.png{0}x\r\n"


def read(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    return csv_tables.read(tmp_path / "t.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("head", ["", "sep={0}\r\n"])
def test_every_spreadsheet(tmp_path, delimiter, encoding, head):
    table = read(tmp_path, (head + TEXT).format(delimiter).encode(encoding))
    first = 3 if head else 2
    assert table.header == ("path", "label", "size")
    assert table.rows == ((first, ["a.png", "Prüfling", "1"]), (first + 2, ["b.png", "x"]))
    assert table.chosen(table.rows[1][1], ["size", "label", "nothing"]) == ["", "x", ""]
    assert table.decimal_comma == (delimiter == ";")
    assert len(table.remarks) == (encoding in ("latin-1", "utf-16-le", "utf-16-be"))


def test_decimal_commas_where_semicolons_divide(tmp_path):
    assert read(tmp_path, b"x;y\n1,5;2\n").number("1,5") == "1.5"
    assert read(tmp_path, b"x,y\n1.5,2\n").number("1,5") == "1,5"


def test_the_line_of_a_mistake(tmp_path):
    with pytest.raises(WoolError, match="t.csv: line 3 is not CSV"):
        read(tmp_path, b'sep=;\nx;y\n"1";"2\n')


def test_a_header_that_is_a_whole_file_is_told_by_its_beginning(tmp_path):
    assert read(tmp_path, b"path,label").first_line == "'path,label'"
    table = read(tmp_path, b"path,labels," + b"x" * 100_000)
    assert table.first_line == f"'path,labels,{'x' * 188} …'"


def test_nothing(tmp_path):
    assert (read(tmp_path, b"").header, read(tmp_path, b"").rows) == ((), ())


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,label,group,Group\na.png,defective,A,B\n")
    with pytest.raises(WoolError, match="has the column 'group' twice; leave one"):
        csv_tables.read(tmp_path / "manifest.csv")
