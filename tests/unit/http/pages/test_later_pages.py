"""The address of a later page of a list that does not hold any more, or is another reader's."""

from __future__ import annotations

from litestar import get
from litestar.params import FromQuery
from litestar.testing import TestClient

from clearway.http.application import application
from clearway.http.cursor import Sealer
from clearway.http.guard import PUBLIC
from clearway.http.pages import Pages


@get("/list", opt=PUBLIC, sync_to_thread=False)
def listed(cursor: FromQuery[str] = "") -> str:
    Sealer({1: b"k" * 64}).open(cursor, ("list", "7"))
    return "rows"


def test_a_page_of_a_list_that_is_not_the_readers_says_so_and_leads_to_the_lists_first_page() -> None:
    of_another = Sealer({1: b"k" * 64}).seal([3], ("list", "8"))
    with TestClient(application([listed], pages=Pages())) as client:  # type: ignore[arg-type]
        address = f"/list?tier=3D&cursor={of_another}&sort=due"
        answer = client.get(address, headers={"accept": "text/html"})
        assert answer.status_code == 404
        assert 'href="/list?tier=3D&amp;sort=due">First page of this list</a>' in answer.text
        assert "good for a day, and for the reader it was made for" in answer.text
        assert "without `cursor`" not in answer.text
        assert client.get(address).json()["type"] == "urn:clearway:problem:cursor-invalid"
