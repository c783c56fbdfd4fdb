"""Every request of the contract's table, for tests that ask all of them the same."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Route:
    method: str
    path: str  # behind /api/v1, with {idea} and {comment}
    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def address(self, *, idea: str = "zzzzzzzz", comment: str = "zzzzzzzz", **more: str) -> str:
        asked = "&".join(f"{name}={value}" for name, value in (self.query | more).items())
        return self.path.format(idea=idea, comment=comment) + (f"?{asked}" if asked else "")

    @property
    def rule(self) -> str:
        return "/api/v1" + self.path.replace("{", "<").replace("}", ">")


TEXTS = {"title": "Warm rooms", "problem": "It is cold.", "proposal": "Open them."}

ROUTES = [
    Route("GET", "/ideas"),
    Route("POST", "/ideas", TEXTS),
    Route("GET", "/ideas/{idea}"),
    Route("PATCH", "/ideas/{idea}", {"title": "Other"}),
    Route("DELETE", "/ideas/{idea}"),
    Route("PUT", "/ideas/{idea}/hidden", {"reason": "Not for here."}),
    Route("DELETE", "/ideas/{idea}/hidden"),
    Route("PUT", "/ideas/{idea}/comments/{comment}/hidden", {"reason": "Not for here."}),
    Route("DELETE", "/ideas/{idea}/comments/{comment}/hidden"),
    Route("GET", "/ideas/similar", query={"text": "warm"}),
    Route("PUT", "/ideas/{idea}/vote"),
    Route("DELETE", "/ideas/{idea}/vote"),
    Route("GET", "/ideas/{idea}/comments"),
    Route("POST", "/ideas/{idea}/comments", {"body": "Good."}),
    Route("DELETE", "/ideas/{idea}/comments/{comment}"),
    Route("PUT", "/ideas/{idea}/sponsor", {}),
    Route("DELETE", "/ideas/{idea}/sponsor", {"reason": "Gone."}),
    Route("POST", "/ideas/{idea}/moves", {"to": "declined", "reason": "No money."}),
    Route("GET", "/ideas/{idea}/answers"),
    Route("POST", "/ideas/{idea}/answers", {"text": "Yes."}),
    Route("GET", "/ideas/{idea}/timeline"),
    Route("GET", "/board"),
    Route("GET", "/events"),
    Route("GET", "/me"),
    Route("GET", "/openapi.json"),
    Route("GET", "/asyncapi.json"),
]
OWN = [  # what is one's own, or an author's: the tests of these stand with their concept
    Route("GET", "/ideas/{idea}/authors"),
    Route("DELETE", "/ideas/{idea}/authors/me"),
    Route("GET", "/ideas/{idea}/invitations"),
    Route("POST", "/ideas/{idea}/invitations", {"email": "neighbour@example.org"}),
    Route("DELETE", "/ideas/{idea}/invitations/{invitation}"),
    Route("GET", "/me/invitations"),
    Route("PUT", "/me/invitations/{invitation}"),
    Route("DELETE", "/me/invitations/{invitation}"),
    Route("GET", "/me/votes"),
    Route("GET", "/moderation/votes"),
    Route("PUT", "/moderation/votes/{burst}/decision", {"to": "released", "reason": "We looked."}),
    Route("GET", "/ideas/{idea}/recount"),
    Route("GET", "/admin/people"),
    Route("GET", "/admin/people/{person}"),
    Route("PATCH", "/admin/people/{person}", {"roles": []}),
    Route("PUT", "/admin/people/{person}/suspension", {"reason": "Away."}),
    Route("DELETE", "/admin/people/{person}/suspension", {"reason": "Back."}),
    Route("PUT", "/admin/people/{person}/joined", {"into": "zzzzzzzz", "reason": "They said so."}),
    Route("GET", "/admin/directorates"),
    Route("PUT", "/admin/directorates", {"name": "Streets"}),
    Route("PUT", "/admin/directorates/{directorate}", {"name": "Streets"}),
    Route("PUT", "/admin/teams/{team}", {"name": "Potholes", "directorate": 1}),
    Route("GET", "/admin/themes"),
    Route("PUT", "/admin/themes/{theme}", {"name": "Streets"}),
    Route("GET", "/admin/settings"),
    Route("PATCH", "/admin/settings", {"answer_days": 10}),
    Route("GET", "/admin/audit"),
    Route("GET", "/me/drafts"),
    Route("GET", "/me/drafts/{draft}"),
    Route("PUT", "/me/drafts/{draft}", {"values": {}}),
    Route("DELETE", "/me/drafts/{draft}"),
]
READS = [route for route in ROUTES if route.method == "GET"]
ACTS = [route for route in ROUTES if route.method != "GET"]
OF_AN_IDEA = [route for route in ROUTES if "{idea}" in route.path]
LISTS = [route for route in READS if route.path == "/ideas" or route.path.endswith(("/comments", "/answers", "/timeline"))]
