"""The same application, for those who mock HTTP: the transport `requests` is seen by `responses`."""

import responses
import shop

import mesahub


@responses.activate
def test_revenue_of_a_mocked_service():
    responses.post(
        "http://core/api/db/shop/query",
        json={
            "headers": [{"name": "sum", "displayName": "sum", "originalType": "", "type": "text"}],
            "rows": [{"sum": 28.5}],
            "stat": {"queryDurationMs": 0},
        },
    )
    with mesahub.connect("mh://key@core/shop", transport="requests") as db:
        assert shop.revenue(db) == 28.5
    assert len(responses.calls) == 1
