"""The step that ends webhooks with who was barred knows who chose the address of those that were there."""

from __future__ import annotations

from clearway import ledger
from clearway.access import audience, person
from clearway.access.marking import own
from people import People, Somebody
from steps import Steps, since, step_of


def test_webhooks_of_who_was_barred_before_end_and_others_know_who_chose_their_address(
    people: People,
) -> None:
    org = people.org("hospital")
    chief, gone = (people.somebody(org, "administrator") for _ in range(2))
    service = people.somebody(org, "operator", kind="service", name="hook")
    steps = Steps(people.url, *since(step_of("webhooks_end")))
    steps.down()

    def made(who: Somebody, works_for: Somebody) -> int:
        with people.acting(who) as db:
            aud = audience.of(db, own(org))
            row = db.execute(
                "insert into clearway.webhook (org, aud, person, url) values (%s, %s, %s, 'https://a.example') "
                "returning webhook",
                (org, aud, works_for.person),
            ).fetchone()
            assert row is not None
            said = {"url": "https://a.example", "person": works_for.person}
            ledger.append(db, "webhook.added", f"webhook/{row[0]}", said, aud=aud)
            return int(row[0])

    def changed(who: Somebody, webhook: int, url: str) -> None:
        with people.acting(who) as db:
            db.execute("select clearway.change_webhook(%s, %s, '{}', '', true)", (webhook, url))
            ledger.append(
                db, "webhook.changed", f"webhook/{webhook}", {"url": url}, aud=audience.of(db, own(org))
            )

    hers, labelled, moved = made(chief, chief), made(chief, service), made(chief, service)
    theirs, for_service = made(gone, gone), made(gone, service)
    changed(gone, labelled, "https://a.example")
    changed(gone, moved, "https://b.example")
    with people.acting(people.admin) as db:
        person.set_active(db, gone.person, active=False)
    steps.up()
    with people.owner() as owner:
        rows = owner.execute(
            "select webhook, set_by, active, ended is null from clearway.webhook order by webhook"
        ).fetchall()
    assert rows == [
        (hers, chief.person, True, True),
        (labelled, chief.person, True, True),
        (moved, gone.person, False, False),
        (theirs, gone.person, False, False),
        (for_service, gone.person, False, False),
    ]
