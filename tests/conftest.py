"""What every room may use: the real stack, a corner of it for one test alone, and how Hypothesis looks for examples."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.stack import Namespace, RealStack, own_namespace, real_stack

# How long an example takes says how busy the machine is: by Hypothesis' own clock, 200 ms each, a sound rule fails.
settings.register_profile("manyi", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("manyi")


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
