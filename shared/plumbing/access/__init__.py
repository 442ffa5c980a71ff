"""Who asks, and whether it is permitted: tokens, the guard of a process, permits, and what routes declare."""

from shared.plumbing.access.doors import allowed, caller, everyone
from shared.plumbing.access.permit import Permit
from shared.plumbing.access.rows import facts_in, facts_of
from shared.policy.permission.decision import Caller

__all__ = ["Caller", "Permit", "allowed", "caller", "everyone", "facts_in", "facts_of"]
