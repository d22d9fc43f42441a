"""The scripted model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scripted_openai import Model


@pytest.fixture
def model() -> Iterator[Model]:
    served = Model()
    yield served
    served.close()
