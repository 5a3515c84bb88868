"""Searches for the settings that suit a user's own images, within a time budget.

    python experiments/search.py --data=crops --out=runs/search --image_size=64 --hours=2
    python experiments/reproduce.py --flagfile=runs/search/best.cfg

Needs the extra `search` (docs/guide.md). Each trial trains the first folds of one setting; the least log loss of
their held-out images wins. The first trial has the settings given, and the others vary those listed under --stage.
Without --data it makes simulated crops. In the folder are search.json, search.md with the best trials, and best.cfg.
The figures of the best trial are optimistic, for it was chosen by these folds. A search that was interrupted goes on
with the same command, and so does one whose time is over.
"""

import startup  # noqa: F401

from absl import flags

import training_flags
from wool_tf.command_line import console, run_display, setting_flags
from wool_tf.search.config import FOLDS, Search
from wool_tf.study.workers import Workers
from wool_tf.training.config import NOT_SEARCHED

_SEARCH = setting_flags.define(Search)
_WORKERS = setting_flags.define(Workers, only=("jobs",))
_SETTINGS = training_flags.define(without=NOT_SEARCHED, defaults={"folds": FOLDS})

flags.adopt_module_key_flags(training_flags)


def main() -> None:
    base, search = training_flags.settings(_SETTINGS, final="baseline"), setting_flags.build(Search, _SEARCH)
    out, source = training_flags.out(), training_flags.source()
    console.set_computing_environment(base.threads)
    display = run_display.Display()

    from wool_tf.search import outcome, run

    try:
        best = run.run(
            base=base,
            search=search,
            source=source,
            out=out,
            jobs=training_flags.workers(_WORKERS, base.threads).jobs,
            command=console.command(),
            show=display.show,
        )
    finally:
        display.close()
    print(outcome.to_text(best))
    display.say(f"settings of the best trial: {out / 'best.cfg'}")


if __name__ == "__main__":
    console.run(main, resumes=True)
