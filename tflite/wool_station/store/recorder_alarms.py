"""The own alarms of the recorder, which outlast it: a restart neither ends them nor tells them again."""

import json
import sqlite3

SOURCE = "recorder"
"""Field `source` of the recorder's own events, by which they differ from those of the inspection."""

WATCHED = {
    "defects_frequent": "more of the belt is called defective than the card's figures and --defect_percent allow",
    "defects_rare": "less of the belt is called defective than the card's figures and --defect_percent allow",
    "scores_high": "scores of what passes are higher than those of the card's held-out images",
    "scores_low": "scores of what passes are lower than those of the card's held-out images",
    "scores_wide": "scores of what passes are spread wider than those of the card's held-out images",
    "scores_narrow": "scores of what passes are closer together than those of the card's held-out images",
}
"""Alarms of the watch over what the network says, and their texts."""

CHALLENGE_FAILED, CHALLENGE_OVERDUE = "challenge_failed", "challenge_overdue"
FEED_LOST, PICTURES_WITHHELD = "feed_lost", "pictures_withheld"
NAMES = (*WATCHED, CHALLENGE_FAILED, CHALLENGE_OVERDUE, FEED_LOST, PICTURES_WITHHELD)


def standing(database: sqlite3.Connection) -> list[dict]:
    """The events of those that stand, as the store knows."""
    marks = ", ".join("?" * len(NAMES))
    select = f"SELECT body, max(id) FROM events WHERE event = 'alarm' AND alarm IN ({marks}) GROUP BY alarm"
    found = [json.loads(row["body"]) for row in database.execute(select, NAMES)]
    return [event for event in found if event.get("on")]
