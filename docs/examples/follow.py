"""The live stream over Socket.IO. After a lost line one goes on behind the last thing heard, so nothing is missed."""

import os

import socketio

hub, token, idea = os.environ["HUB"], os.environ["TOKEN"], os.environ["IDEA"]
client = socketio.Client(reconnection_delay_max=2)
seen = {"cursor": None}


def show(event):
    print(event["type"], event["data"], flush=True)
    seen["cursor"] = event["cursor"]


def watched(answer):
    if answer["mode"] == "reset":
        print("read anew what you show, because:", answer["why"], flush=True)
    for event in answer["events"]:  # what was missed
        show(event)
    seen["cursor"] = answer["cursor"]
    print("watching", flush=True)


@client.on("connect", namespace="/live")
def connected():
    client.emit("watch", {"topics": [f"idea:{idea}"], "cursor": seen["cursor"]}, namespace="/live", callback=watched)


@client.on("reset", namespace="/live")
def reset(message):
    connected()


@client.on("head", namespace="/live")
def head(message):
    seen["cursor"] = message["cursor"]


client.on("event", show, namespace="/live")
client.on("facts", lambda facts: print(facts, flush=True), namespace="/live")
client.connect(hub, namespaces=["/live"], auth={"token": token}, transports=["websocket"])
client.wait()
