"""What a certificate of erasure says: when the last copies expire, and that they are really kept no longer."""

from datetime import UTC, datetime, timedelta

from deploy.local.topics import DAY_MS, plan
from services.customer.model.customer import Customer
from services.customer.model.erasure import erase
from services.customer.views.certificate import as_certificate
from shared.contracts.customer import ErasureCompleted
from shared.plumbing.quarantine import KEPT

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FILE = Customer(customer_id="c", code="C-1", name="王芳", lawful_basis="contract")


def test_a_certificate_names_the_last_expiry_of_intake_and_quarantine() -> None:
    (sentence,) = erase(FILE, None, "r", NOW, ["c"])
    assert isinstance(sentence.event, ErasureCompleted)
    certificate = as_certificate(sentence.event)
    assert certificate["intakeEmptyAt"].startswith("2026-03-09T09:30")
    assert certificate["quarantineEmptyAt"].startswith("2026-04-01T09:30")
    for words in certificate["statement"].values():
        assert "2026-03-09 09:30 UTC" in words
        assert "2026-04-01 09:30 UTC" in words
        assert "王芳" not in words


def test_what_it_promises_is_how_long_copies_are_kept() -> None:
    (sentence,) = erase(FILE, None, "r", NOW, ["c"])
    assert isinstance(sentence.event, ErasureCompleted)
    kept = {int(topic.settings["retention.ms"]) for topic in plan() if topic.name.endswith("-intake")}
    assert kept == {(sentence.event.intake_empty_at - NOW) // timedelta(days=1) * DAY_MS}
    assert sentence.event.quarantine_empty_at - NOW == KEPT
