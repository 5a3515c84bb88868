# ruff: noqa: E501
"""What people do wrong, and the one line that they get: program, options, exit status and line.

In options and lines, `{here}` is the folder that `make` has filled, and `{references}` in options are two of a detector.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

import rig
import scripts

REFERENCES = "--dark={here}/references/dark.png --bright={here}/references/bright.png"
USES: list[tuple[str, str, int, str]] = [
    ('reproduce.py', '', 1, 'error: --out: is required; give a value'),
    ('reproduce.py', '--data={here}/absent_folder --out={here}/o', 1, 'error: --data={here}/absent_folder: no such folder; give one that exists'),
    ('reproduce.py', '--data={here}/empty --out={here}/o', 1, 'error: {here}/empty: has neither a manifest.csv nor the folders defective/ and non_defective/; add either'),
    ('reproduce.py', '--data={here}/crops --dta=3', 1, 'error: --dta: this script has no such flag; --help lists them'),
    ('reproduce.py', '--data={here}/crops --out={here}/text.json', 1, 'error: --out={here}/text.json: cannot be written (File exists); choose another folder'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --folds=1', 1, 'error: --folds=1: must be at least 2'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --depth=19', 1, 'error: --depth: this script has no such flag; --help lists them'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --epochs=0', 1, 'error: --epochs=0: must be at least 1'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --epochs=many', 1, 'error: --epochs=many: must be a whole number'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --learning_rate=-1', 1, 'error: --learning_rate: this script has no such flag; --help lists them'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --weights={here}/none.safetensors', 1, 'error: --weights={here}/none.safetensors: no such file; give a file'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --cost_ratio=0', 1, 'error: --cost_ratio=0: must be above 0 and finite'),
    ('pytorch_kfold.py', '--data={here}/crops --out={here}/o --plan', 1, 'error: --plan: no estimate is made for PyTorch; leave the flag out'),
    ('train_kfold.py', '--data={here}/crops --out={here}/o --sample_from=(', 1, 'error: --sample_from=(: is no regular expression (missing ), unterminated subpattern at position 0)'),
    ('check_leaks.py', '--data={here}/one_class', 1, 'error: {here}/one_class: no non_defective images; both classes are needed'),
    ('check_leaks.py', '--data={here}/truncated', 1, 'error: {here}/truncated: defective/3.png cannot be decoded (its pixels end early; take a whole copy)'),
    ('check_leaks.py', '--data={here}/german', 1, 'error: {here}/german: has neither a manifest.csv nor the folders defective/ and non_defective/; found Fehlerhaft/, Gut/; map them with --defective_label and --non_defective_label'),
    ('check_leaks.py', '--data={here}/no_label', 1, "error: {here}/no_label/manifest.csv: column 'label' is missing; the first line must name path, label and group, separated by commas or semicolons, got 'path,group'"),
    ('check_leaks.py', '--data={here}/absent', 1, 'error: {here}/absent: defective/99.png does not exist'),
    ('check_leaks.py', '--data={here}/outside', 1, 'error: {here}/outside: ../crops/defective/0.png leads out of the folder; give a path inside it'),
    ('check_leaks.py', '--data={here}/label', 1, "error: {here}/label: manifest.csv line 4: label of 'defective/1.png' must be non_defective or defective, got 'broken'; correct it, or map it with --defective_label and --non_defective_label"),
    ('check_leaks.py', '--data={here}/crops --bits=7', 1, 'error: --bits=7: must be at least 8 and at most 16'),
    ('check_leaks.py', '--data={here}/crops --white=254', 1, 'error: --white=254: must be at least 255 and at most 65535'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --bits=12 --white=60000', 1, 'error: --white=60000: must be at most 4095 with 12 bits; give one of them'),
    ('crop_scans.py', '--scans={here}/absent_folder --out={here}/o', 1, 'error: --scans={here}/absent_folder: no such folder; give one that exists'),
    ('crop_scans.py', '--scans={here}/nothing --out={here}/o', 1, 'error: {here}/nothing: has neither annotations.json nor annotations.csv; give one of them'),
    ('crop_scans.py', '--scans={here}/broken --out={here}/o', 1, 'error: {here}/broken/annotations.json: is not JSON (Expecting value: line 1 column 13 (char 12))'),
    ('crop_scans.py', '--scans={here}/beyond --out={here}/o', 1, 'error: {here}/beyond: annotation 1: box 100, 10 of 5x5 pixels is not inside a.png of 50x80'),
    ('crop_scans.py', '--scans={here}/coded --out={here}/o', 1, 'error: {here}/coded: annotation 1: is a mask in RLE without a box, which is not read; export boxes or polygons'),
    ('crop_scans.py', '--scans={here}/unknown --out={here}/o', 1, 'error: {here}/unknown: annotation 1: category_id 7 is none of the categories'),
    ('crop_scans.py', '--scans={here}/raw --out={here}/o', 1, 'error: {here}/raw: annotations.csv line 2: a.raw is a raw file; say with --raw_width and --raw_type how its lines are laid out'),
    ('crop_scans.py', '--scans={here}/scans --out={here}/o --bits=17', 1, 'error: --bits=17: must be at least 8 and at most 16'),
    ('crop_scans.py', '--scans={here}/scans --out={here}/o --bits=14 --white=60000', 1, 'error: --white=60000: must be at most 16383 with 14 bits; give one of them'),
    ('crop_scans.py', '--scans={here}/scans --out={here}/cut --white=39000', 1, 'error: {here}/scans: a.png has values up to 40000, beyond 39000, the highest value by --bits, --white, imaging.json, a card or the other files; correct that, or leave the file out'),
    ('crop_scans.py', '--scans={here}/scans --out={here}/o --side=0', 1, 'error: --side=0: must be at least 32'),
    ('crop_scans.py', '--scans={here}/scans --out={here}/o --window=2,1', 1, 'error: --window=2,1: must be LOW,HIGH in attenuation, LOW < HIGH'),
    ('crop_scans.py', '--scans={here}/scans --out={here}/scans', 1, 'error: --out={here}/scans: must not lie in --scans={here}/scans, which is read; give another place'),
    ('simulate_scans.py', '--out={here}/o --samples=0', 1, 'error: --samples=0: must be at least 2 and at most 99999'),
    ('simulate_scans.py', '--out={here}/o --jobs=0', 1, 'error: --jobs=0: must be at least 1'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --samples=7', 1, 'error: --samples=7: must be at least 8 and at most 99999'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --contrast=9', 1, 'error: --contrast=9: must be at least 0.5 and at most 4'),
    ('prune_kfold.py', '--data={here}/crops --out={here}/o --depths=18,19', 1, 'error: --depths=18,19: each must be one of 18, 34, 50, 101, 152'),
    ('search.py', '--data={here}/crops --out={here}/o --hours=0', 1, 'error: --hours=0: must be above 0'),
    ('latency_table.py', '--out={here}/o --depths=', 1, 'error: --depths=: give at least one value'),
    ('complexity.py', '--depth=17', 1, 'error: --depth=17: each must be one of 18, 34, 50, 101, 152'),
    ('compare_boards.py', '{here}/none.json', 1, "error: '{here}/none.json': this script takes flags only; --help lists them"),
    ('report.py', '--study={here}/none', 1, 'error: --study: this script has no such flag; --help lists them'),
    ('report.py', '{here}/none.json', 1, 'error: {here}/none.json: no such run; give the folder of a run, or one of its documents'),
    ('convert.py', '', 1, 'error: --network: is required; give a value'),
    ('convert.py', '--network={here}/none.safetensors --data={here}/crops --out={here}/o.tflite', 1, 'error: --network={here}/none.safetensors: no such file; give a file'),
    ('convert.py', '--network={here}/text.safetensors --data={here}/crops --out={here}/o.tflite', 1, 'error: {here}/text.safetensors: cannot be read as safetensors (Error while deserializing header: header too large)'),
    ('convert.py', '--network={here}/text.json --data={here}/crops --out={here}/o.tflite', 1, 'error: --network={here}/text.json: must be a checkpoint, and end in .safetensors or .keras'),
    ('verify.py', '--network={here}/text.safetensors --data={here}/crops', 1, 'error: --models: is required; give a value'),
    ('stream_scans.py', '--scans={here}/absent_folder', 1, 'error: --model: is required; give a value'),
    ('search.py', '--data={here}/absent_folder --out={here}/o', 1, 'error: --data={here}/absent_folder: no such folder; give one that exists'),
    ('pretrain.py', '--out={here}/crops', 1, 'error: --data: is required; give a value'),
    ('classify.py', '', 64, 'classify.py: the following arguments are required: MODEL, IMAGE|DIR; --help tells more'),
    ('classify.py', '{here}/none.tflite {here}/crops', 1, 'classify.py: {here}/none.tflite: cannot be read (No such file or directory)'),
    ('classify.py', '{here}/text.tflite {here}/crops', 1, 'classify.py: {here}/text.tflite: not a TFLite file'),
    ('classify.py', '{here}/bare.tflite {here}/crops', 1, 'classify.py: {here}/bare.tflite: has no card; take a whole copy of a file that convert.py made'),
    ('classify.py', '{here}/bare.tflite', 64, 'classify.py: give an IMAGE, a DIR or --watch=DIR; --help tells more'),
    ('classify.py', '{here}/bare.tflite {here}/crops --wtach', 64, 'classify.py: unrecognized arguments: --wtach; --help tells more'),
    ('benchmark.py', '', 64, 'benchmark.py: the following arguments are required: MODEL; --help tells more'),
    ('benchmark.py', '{here}/none.tflite', 1, 'benchmark.py: {here}/none.tflite: cannot be read (No such file or directory)'),
    ('benchmark.py', '{here}/bare.tflite --runs=0', 64, 'benchmark.py: --runs=0: must be at least 1'),
    ('inspect_line.py', '{here}/lines.raw --width=100', 64, 'inspect_line.py: the following arguments are required: --dark, --bright; --help tells more'),
    ('inspect_line.py', '{here}/lines.raw {references}', 1, 'inspect_line.py: {here}/references/dark.png: is 100 elements wide, but --width=640'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=0', 64, 'inspect_line.py: --width=0: must be at least 1'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=wide', 64, "inspect_line.py: argument --width: invalid int value: 'wide'; --help tells more"),
    ('inspect_line.py', '{here}/lines.raw {references} --width=90', 1, 'inspect_line.py: {here}/references/dark.png: is 100 elements wide, but --width=90'),
    ('inspect_line.py', '{here}/lines.raw --dark={here}/references/dark.png --bright={here}/references/dark.png --width=100', 1, 'inspect_line.py: {here}/references/dark.png: is no brighter than {here}/references/dark.png; were dark and bright swapped?'),
    ('inspect_line.py', '{here}/lines.raw --dark={here}/references/dark.png --bright={here}/references/none.png --width=100', 1, 'inspect_line.py: {here}/references/none.png: no such file; give a reference scan'),
    ('inspect_line.py', '{here}/none.raw {references} --width=100', 1, 'inspect_line.py: {here}/none.raw: cannot be opened (No such file or directory)'),
    ('inspect_line.py', '{here}/empty {references} --width=100', 1, 'inspect_line.py: {here}/empty: cannot be opened (Is a directory)'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --reopen', 64, 'inspect_line.py: --reopen: {here}/lines.raw is no FIFO, and only one that has a name can be opened again'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --overlap=1', 64, 'inspect_line.py: --overlap=1: must be at least 0 and below 1'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --window=1,0', 64, 'inspect_line.py: --window=1,0: must be LOW,HIGH in attenuation, LOW < HIGH'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --pixel_mm=nan', 64, 'inspect_line.py: --pixel_mm=nan: must be at least 0.001 and at most 100'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --part_mm=1', 64, 'inspect_line.py: --part_mm=1: must be at least 20, the length that a tile shows'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --position=count --count_mm=0', 64, 'inspect_line.py: --count_mm=0: must be above 0 and at most 1e+09'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --state={here}/empty', 1, 'inspect_line.py: --state={here}/empty: cannot be read (Is a directory)'),
    ('inspect_line.py', '{here}/lines.raw {references} --width=100 --feed={here}/text.json', 64, 'inspect_line.py: --feed={here}/text.json: is a file already, and no socket; give another path'),
    ('inspect_line.py', '- {references} --width=100 --latency_mm=1', 64, 'inspect_line.py: --latency_mm=1: must be at least 136 with parts of 40 mm; give more, or less --part_mm'),
    ('inspect_line.py', '- {references} --width=100 --spacing_mm=0', 64, 'inspect_line.py: --spacing_mm=0: must be above 0 and at most 1e+09'),
    ('gate.py', '', 64, 'gate.py: the following arguments are required: --feed, --distance_mm, --width_mm; --help tells more'),
    ('gate.py', '--feed={here}/feed', 64, 'gate.py: the following arguments are required: --distance_mm, --width_mm; --help tells more'),
    ('gate.py', '--feed={here}/feed --distance_mm=-1', 64, 'gate.py: the following arguments are required: --width_mm; --help tells more'),
    ('mqtt.py', '', 64, 'mqtt.py: the following arguments are required: --feed, --broker; --help tells more'),
    ('mqtt.py', '--feed={here}/feed --host=', 64, 'mqtt.py: the following arguments are required: --broker; --help tells more'),
    ('station.py', '', 64, 'station.py: the following arguments are required: COMMAND; --help tells more'),
    ('station.py', 'record --feed={here}/feed', 64, 'station.py record: the following arguments are required: --store; --help tells more'),
    ('station.py', 'record --feed={here}/feed --store={here}/store --shifts=25:00', 64, 'station.py: --shifts=25:00: must be times of day at which shifts begin, such as 06:00,14:00,22:00'),
]  # fmt: skip


def make(here: Path) -> None:
    """Files that go with the uses."""
    crops = scripts.write_crops(here / "crops")
    for name in ("one_class", "truncated", "german", "no_label", "absent", "outside", "label"):
        scripts.write_crops(here / name)
    for file in (here / "one_class" / "non_defective").iterdir():
        file.unlink()
    whole = (crops / "defective" / "0.png").read_bytes()
    (here / "truncated" / "defective" / "3.png").write_bytes(whole[: len(whole) // 2])
    for name, other in (("defective", "Fehlerhaft"), ("non_defective", "Gut")):
        (here / "german" / name).rename(here / "german" / other)
    rows = "defective/0.png,defective,S1\nnon_defective/0.png,non_defective,S2\n"
    for name, text in (
        ("no_label", "path,group\ndefective/0.png,S1\n"),
        ("absent", f"path,label,group\n{rows}defective/99.png,defective,S3\n"),
        ("outside", f"path,label,group\n{rows}../crops/defective/0.png,defective,S3\n"),
        ("label", f"path,label,group\n{rows}defective/1.png,broken,S3\n"),
    ):
        (here / name / "manifest.csv").write_text(text)
    _make_scans(here)
    (here / "empty").mkdir()
    (here / "text.json").write_text("no JSON")
    (here / "deep.json").write_text("[" * 10**5)
    (here / "list.json").write_text("[]")
    (here / "old.json").write_text('{"version": 1}')
    (here / "text.tflite").write_text("no model")
    (here / "bare.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    (here / "text.safetensors").write_text("no weights")
    (here / "lines.raw").write_bytes(bytes(400))
    (here / "references").mkdir()
    rig.Detector().references(here / "references")


def _make_scans(here: Path) -> None:
    image = {"id": 1, "file_name": "a.png", "width": 50, "height": 80, "sample": "S1"}
    kinds = [{"id": 1, "name": "D1"}]
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 5, 5]}
    documents = {
        "beyond": {"images": [image], "annotations": [box | {"bbox": [100, 10, 5, 5]}], "categories": kinds},
        "coded": {
            "images": [image],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"counts": "x", "size": [80, 50]}}],
            "categories": kinds,
        },
        "unknown": {"images": [image], "annotations": [box | {"category_id": 7}], "categories": kinds},
        "scans": {"images": [image], "annotations": [box], "categories": kinds},
    }  # fmt: skip
    for name in (*documents, "nothing", "broken", "raw"):
        (here / name).mkdir()
        Image.fromarray(np.full((80, 50), 40000, np.uint16)).save(here / name / "a.png")
    for name, document in documents.items():
        (here / name / "annotations.json").write_text(json.dumps(document))
    (here / "broken" / "annotations.json").write_text('{"images": [')
    (here / "raw" / "a.raw").write_bytes(bytes(8000))
    (here / "raw" / "annotations.csv").write_text("scan,sample,x,y,width,height,defect\na.raw,S1,10,10,5,5,D1\n")
