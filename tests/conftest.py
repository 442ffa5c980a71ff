"""Fixtures that every room may use: the real stack, and a corner of it for one test alone."""

from collections.abc import AsyncIterator

import pytest

from tests.support.stack import Namespace, RealStack, own_namespace, real_stack


@pytest.fixture(scope="session")
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[RealStack]:
    """One Kafka and one MongoDB for the whole run, started when the first test asks."""
    async with real_stack() as found:
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        if reporter:
            reporter.write_line(f"\nKafka {found.kafka} and MongoDB {found.mongo} from {found.origin}")
        yield found


@pytest.fixture
async def namespace(stack: RealStack) -> AsyncIterator[Namespace]:
    """Topics and databases of this test's own, with few partitions; gone afterwards."""
    async with own_namespace(stack) as own:
        yield own
