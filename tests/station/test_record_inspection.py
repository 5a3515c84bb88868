"""The recorder beside an inspection as it runs: what is in the store is what the standard output says."""

import json

import numpy as np

import fake_feed
import rig
import station_programs
import stores
from rig import DEFECT, WOOL

DETECTOR = rig.Detector()


def lines(defects) -> bytes:
    """Two products of 400 lines with air around them, and defects of 4 by 4 pixels."""
    attenuation = np.zeros((1200, DETECTOR.width))
    for start in (100, 650):
        attenuation[start : start + 400, 10:90] = WOOL
    for line, element in defects:
        attenuation[line : line + 4, element : element + 4] = DEFECT
    return DETECTOR.expose(attenuation).tobytes()


def test_the_store_has_what_the_inspection_told(tmp_path):
    flags, folder, feed = DETECTOR.references(tmp_path), tmp_path / "store", tmp_path / "feed"
    with station_programs.running("record", f"--feed={feed}", f"--store={folder}"):
        process = rig.start(*flags, f"--feed={feed}", "--window=0,1", "--pixel_mm=0.5", "--recorded")
        fake_feed.wait_until(lambda: stores.is_made(folder) and stores.rows(folder, "SELECT * FROM inspections"))
        output, errors = process.communicate(lines([(200, 30), (204, 70), (800, 50)]), timeout=60)
        assert process.returncode == 0, errors
        fake_feed.wait_until(lambda: any(event["final"] for event in stores.events(folder, "summary")))
    told = rig.events(output.decode())
    for kind in ("reject", "unseen", "summary"):
        assert stores.events(folder, kind) == rig.kinds(told, kind)
    tiles = rig.kinds(told, "tile")
    defective = [(*tile["along_mm"], *tile["across_mm"], tile["score"]) for tile in tiles if tile["defective"]]
    select = "SELECT start_mm, stop_mm, left_mm, right_mm, score FROM tiles WHERE defective ORDER BY start_mm, left_mm"
    assert stores.rows(folder, select) == sorted(defective) and defective
    assert stores.rows(folder, "SELECT count(*) FROM tiles WHERE defective AND volume IS NULL") == [(0,)]
    (whole,) = stores.rows(folder, "SELECT sum(tiles), sum(defective), sum(seen_mm + air_mm + unseen_mm) FROM minutes")
    assert whole == (len(tiles), len(defective), 600.0)
    # Two products, air between them.
    assert [product for (product,) in stores.rows(folder, "SELECT DISTINCT product FROM tiles ORDER BY 1")] == [2, 3]
    body = json.loads(stores.rows(folder, "SELECT body FROM inspections")[0][0])
    assert body == told[0]
