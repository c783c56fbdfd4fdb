"""What load balancers ask."""


def test_a_server_that_is_about_to_end_is_not_healthy(app, visit):
    assert visit().get("/healthz").status_code == 200
    app.extensions["ideas_hub"].leaving.set()
    answer = visit().get("/healthz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
