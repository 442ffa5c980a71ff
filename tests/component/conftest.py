"""What tests of one service share: an issuer of tokens, and a customer service that asks for them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.customer.main import build
from shared.plumbing.settings import Settings
from tests.support.issuer import Issuer
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path, issuer: Issuer) -> Settings:
    """A service that asks for tokens; a module whose service does not, or is told more, has its own in their place."""
    return settings_for(stack, namespace, tmp_path, **issuer.settings())


@pytest.fixture
async def customer(settings: Settings, issuer: Issuer) -> AsyncIterator[Running]:
    async with running(build, settings, issuer.bearer("probe", "system")) as service:
        yield service
