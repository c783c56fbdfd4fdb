"""Post a comment, and send it again with the same key for as long as no answer comes: it is posted once."""

import os
import time
import uuid

import requests

hub, token, idea = os.environ["HUB"], os.environ["TOKEN"], os.environ["IDEA"]
headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
while True:
    try:
        answer = requests.post(
            f"{hub}/api/v1/ideas/{idea}/comments", json={"body": "Said by Python.", "kind": "build"}, headers=headers, timeout=10
        )
    except requests.ConnectionError:
        time.sleep(1)
        continue
    if "Retry-After" not in answer.headers:
        break
    time.sleep(int(answer.headers["Retry-After"]))
print(answer.status_code, answer.json().get("id") or answer.json()["detail"])
