"""What load balancers ask."""

from ideas_hub import schema


def test_a_server_that_is_about_to_end_is_not_healthy(app, visit):
    assert visit().get("/healthz").status_code == 200
    app.extensions["ideas_hub"].leaving.set()
    answer = visit().get("/healthz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_server_is_well_beside_a_newer_schema_and_not_beside_an_older_one(hub, visit, monkeypatch):
    monkeypatch.setattr(schema, "current", lambda: "of tomorrow")
    assert visit().get("/healthz").status_code == 200
    for older in (None, min(schema._known())):
        monkeypatch.setattr(schema, "current", lambda older=older: older)
        monkeypatch.setattr(schema, "newest", lambda: "of today")
        assert visit().get("/healthz").status_code == 503
