"""Have a vote for an idea, and say how many there are."""

import os

import requests

hub, token, idea = os.environ["HUB"], os.environ["TOKEN"], os.environ["IDEA"]
answer = requests.put(f"{hub}/api/v1/ideas/{idea}/vote", headers={"Authorization": f"Bearer {token}"}, timeout=10)
answer.raise_for_status()
print(answer.json()["votes"], "votes,", answer.json()["votes_residents"], "of residents")
