"""What load balancers ask."""

import shutil

from ideas_hub import schema


def test_a_server_that_is_about_to_end_is_not_healthy(app, visit):
    assert visit().get("/healthz").status_code == 200
    app.extensions["ideas_hub"].leaving.set()
    answer = visit().get("/healthz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_server_is_well_beside_a_newer_schema_and_not_beside_an_older_one(hub, visit, monkeypatch):
    monkeypatch.setattr(schema, "current", lambda: "of tomorrow")
    assert visit().get("/healthz").status_code == 200
    for older in (None, "of yesterday"):
        monkeypatch.setattr(schema, "current", lambda older=older: older)
        monkeypatch.setattr(schema, "_revisions", lambda: ("of today", frozenset({"of yesterday", "of today"})))
        assert visit().get("/healthz").status_code == 503


def test_a_server_is_well_when_a_newer_version_lies_in_its_folder(hub, visit, monkeypatch, tmp_path):
    """As at a rolling restart: the files are replaced, the database is migrated, and the server of before goes on."""
    schema._revisions.cache_clear()
    assert schema.newest() == schema.current()  # what a server asks when it starts
    shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")
    newer = f'revision, down_revision = "of tomorrow", "{schema.newest()}"\n\n\ndef upgrade(): ...\n'
    (tmp_path / "migrations" / "versions" / "of_tomorrow.py").write_text(newer)
    monkeypatch.setattr(schema, "MIGRATIONS", tmp_path / "migrations")
    monkeypatch.setattr(schema, "current", lambda: "of tomorrow")
    assert visit().get("/healthz").status_code == 200
