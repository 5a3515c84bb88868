"""What several tests of inspections share."""

import pytest
from product_belt import DETECTOR


@pytest.fixture(scope="session")
def flags(tmp_path_factory) -> list[str]:
    """Flags of the references, which nobody changes, and of the width of `DETECTOR`."""
    return DETECTOR.references(tmp_path_factory.mktemp("references"))
