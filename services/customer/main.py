"""The customer service, as one list: what it stores, hears, says and shows."""

import functools
import uuid

from services.customer.assessing import ASSESSING_EVERY_S, Assessing
from services.customer.commands import (
    announce_policies,
    answer_claims,
    change_key_fields,
    clean_files,
    decide_request,
    drive_maintenance,
    erase_again,
    erase_person,
    follow_opportunities,
    grade_customers,
    grant_entitlements,
    hold_events,
    import_customers,
    invite_segment,
    keep_care_days,
    keep_consents,
    keep_contacts,
    keep_posts,
    log_interaction,
    make_commitments,
    offer_services,
    plan_maintenance,
    plan_visits,
    promote_staff,
    record_contract,
    record_purchase,
    register_customer,
    request_expense,
    request_gift,
    request_merge,
    review_authority,
    save_segments,
    tell_apart,
    unmerge_customers,
)
from services.customer.commands.age_customers import Ageing
from services.customer.commands.age_staff import STAFF_EVERY_S, AgeingStaff
from services.customer.commands.expire_requests import Expiring
from services.customer.commands.follow_calendar import CALENDAR_EVERY_S, Rescheduling
from services.customer.commands.lapse_requests import LAPSING_EVERY_S, Lapsing
from services.customer.desk import STORED, Desk
from services.customer.duplicates import Duplicates
from services.customer.importer import IMPORTS_EVERY_S, Importer
from services.customer.imports import Imports
from services.customer.model.deadlines import Deadlines
from services.customer.reactions import note_what_others_tell
from services.customer.staffing import Staffing
from services.customer.views import (
    authority_reviews,
    cadence,
    cards,
    care,
    certificate,
    claims,
    commitments,
    company_events,
    consents,
    contacts,
    credit,
    customer_360,
    customer_file,
    dealings,
    entitlements,
    entry,
    export,
    holidays,
    key_changes,
    merges,
    opportunities,
    organisation,
    personal_data,
    plans,
    policies,
    promotions,
    quality,
    requests,
    search,
    segments,
    service_items,
    timeline,
    visits,
    worth,
)
from services.customer.views import duplicates as duplicates_view
from services.customer.views import imports as imports_view
from shared.contracts import feedback
from shared.contracts.catalogue import events_topic, intake_topic
from shared.contracts.intake import CUSTOMER_INTAKE
from shared.contracts.survey import SurveyResponded
from shared.plumbing.app import Service
from shared.plumbing.intake import PORTION
from shared.plumbing.listening import Hearing
from shared.plumbing.reacting import Reaction
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from shared.plumbing.timers import TIMERS_EVERY_S, Timekeeper

AGEING_EVERY_S = 60.0


def build(settings: Settings) -> Service:
    """Compose the service; must be called inside the running loop."""
    speaking = Speaking("customer", settings)
    ledger = speaking.ledger
    desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
    duplicates = Duplicates(ledger)
    imports = Imports(ledger)
    assessing = Assessing(ledger, desk)
    deadlines = Deadlines(desk.policies, desk.zone)
    cleanings = clean_files.Cleanings(ledger, desk, deadlines)
    staffing = Staffing(ledger, desk)
    lapsing = Lapsing(ledger, staffing)
    timekeeper = Timekeeper(ledger, STORED, deadlines.tell, uuid.uuid4().hex)
    intake_desk = speaking.intake_desk(
        [
            *register_customer.understood(desk),
            *record_purchase.understood(desk),
            *record_contract.understood(desk),
            *log_interaction.understood(desk),
        ]
    )
    topic = intake_topic(settings.topic_prefix, "customer")
    surveys, cases = (events_topic(settings.topic_prefix, service) for service in ("survey", "feedback"))
    noting = Reaction(ledger, note_what_others_tell.REACTING, settings.max_dead_letters_in_a_row)
    return speaking.service(
        description="One file per customer: who they are, what they bought and signed, and every conversation.",
        routers=[
            # Routes are tried in this order: those asked most come first.
            customer_360.routes(ledger, desk),
            search.routes(ledger, desk),
            register_customer.routes(ledger, desk, duplicates),
            log_interaction.routes(ledger, desk),
            keep_contacts.routes(ledger, desk),
            grade_customers.routes(ledger, desk),
            make_commitments.routes(ledger, deadlines),
            plan_maintenance.routes(ledger, deadlines),
            drive_maintenance.routes(ledger, deadlines),
            keep_care_days.routes(ledger, desk),
            hold_events.routes(ledger, desk),
            invite_segment.routes(ledger, desk),
            follow_opportunities.routes(ledger, desk),
            save_segments.routes(ledger),
            request_merge.routes(ledger, desk),
            unmerge_customers.routes(ledger, desk),
            merges.routes(ledger),
            change_key_fields.routes(ledger, desk, duplicates),
            request_gift.routes(ledger, desk),
            *(request_expense.routes(ledger, desk, kind) for kind in request_expense.KINDS),
            *(decide_request.routes(ledger, desk, kind) for kind in requests.CALLED),
            *(requests.routes(ledger, desk, kind) for kind in requests.CALLED),
            requests.budget_routes(ledger, desk),
            plan_visits.routes(ledger, desk),
            visits.routes(ledger, desk),
            grant_entitlements.routes(ledger, desk),
            entitlements.routes(ledger, desk),
            erase_person.routes(ledger),
            answer_claims.routes(ledger, deadlines),
            claims.routes(ledger),
            import_customers.routes(imports, desk),
            imports_view.routes(imports),
            clean_files.routes(ledger, desk, cleanings),
            quality.routes(ledger, desk),
            keep_consents.routes(ledger, desk),
            consents.routes(ledger, desk),
            entry.routes(ledger, desk),
            export.routes(ledger, desk),
            customer_file.routes(ledger, desk),
            dealings.routes(ledger),
            worth.routes(ledger, desk),
            timeline.routes(ledger),
            contacts.routes(ledger),
            cards.routes(ledger, desk),
            cadence.routes(ledger, desk),
            commitments.routes(ledger),
            key_changes.routes(ledger, desk),
            credit.routes(ledger, desk),
            plans.routes(ledger),
            care.routes(ledger, desk),
            holidays.routes(ledger, desk),
            company_events.routes(ledger),
            opportunities.routes(ledger),
            segments.routes(ledger, desk),
            offer_services.routes(ledger, desk),
            service_items.routes(ledger, desk),
            duplicates_view.routes(ledger, desk, duplicates),
            tell_apart.routes(ledger, desk),
            certificate.routes(ledger),
            keep_posts.routes(ledger, desk),
            organisation.routes(ledger, desk, staffing),
            promote_staff.routes(ledger, desk),
            promotions.routes(ledger),
            review_authority.routes(ledger, desk),
            authority_reviews.routes(ledger, desk),
            announce_policies.routes(ledger, desk, staffing),
            policies.routes(ledger, desk, staffing),
            personal_data.routes(ledger, desk),
        ],
        hearings=[
            Hearing("customer-intake", [topic], intake_desk, portion=PORTION),
            Hearing(f"customer-{note_what_others_tell.NAME}", [surveys, cases], noting),
        ],
        hears_types={topic: CUSTOMER_INTAKE, surveys: (SurveyResponded,), cases: feedback.SAYS},
        prepare=[
            functools.partial(customer_file.prepare, ledger),
            functools.partial(dealings.prepare, ledger),
            functools.partial(contacts.prepare, ledger),
            functools.partial(search.prepare, ledger),
            functools.partial(requests.prepare, ledger),
            functools.partial(timeline.prepare, ledger),
            functools.partial(visits.prepare, ledger),
            functools.partial(entitlements.prepare, ledger),
            duplicates.prepare,
            imports.prepare,
            assessing.prepare,
            functools.partial(consents.prepare, ledger),
            functools.partial(claims.prepare, ledger),
            cleanings.prepare,
            functools.partial(cadence.prepare, ledger),
            functools.partial(commitments.prepare, ledger),
            functools.partial(key_changes.prepare, ledger),
            functools.partial(plans.prepare, ledger),
            functools.partial(care.prepare, ledger),
            functools.partial(company_events.prepare, ledger),
            functools.partial(opportunities.prepare, ledger),
            functools.partial(service_items.prepare, ledger),
            timekeeper.prepare,
            lapsing.prepare,
            staffing.prepare,
            functools.partial(erase_again.erase_again, ledger),
        ],
        chores=[
            (AGEING_EVERY_S, Ageing(ledger, desk).step),
            (IMPORTS_EVERY_S, Importer(ledger, desk, duplicates, imports).step),
            (ASSESSING_EVERY_S, assessing.step),
            (clean_files.ROUNDS_EVERY_S, cleanings.step),
            (TIMERS_EVERY_S, timekeeper.step),
            (TIMERS_EVERY_S, Expiring(ledger, desk, staffing).step),
            (LAPSING_EVERY_S, lapsing.step),
            (CALENDAR_EVERY_S, Rescheduling(ledger, desk).step),
            (STAFF_EVERY_S, AgeingStaff(ledger, staffing).step),
            (announce_policies.ANNOUNCING_EVERY_S, announce_policies.Announcements(ledger, desk).step),
            (review_authority.REVIEWS_EVERY_S, review_authority.AuthorityReviews(ledger, desk, staffing).step),
        ],
        uploads=frozenset({import_customers.UPLOADS}),
        standing_in=staffing.standing_in,
    )
