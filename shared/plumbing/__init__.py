"""How we speak and remember: journal, relay, listening, projection, dead letters, app, clock, settings, telemetry.

No domain word lives here.
"""
