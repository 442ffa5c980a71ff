"""Business time: which days are worked, at which hours, and when something is due. Pure; reads no file."""
