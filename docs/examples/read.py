"""Every idea that waits for an answer: piece by piece, until there is no next one."""

import os

import requests

hub, token = os.environ["HUB"], os.environ["TOKEN"]
asked = {"sort": "waiting", "limit": 100}
while True:
    answer = requests.get(f"{hub}/api/v1/ideas", params=asked, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    answer.raise_for_status()
    for idea in answer.json()["items"]:
        print(idea["id"], idea["votes"], idea["title"])
    if not answer.json()["next"]:
        break
    asked["cursor"] = answer.json()["next"]
