// The live stream over Socket.IO. After a lost line one goes on behind the last thing heard, so nothing is missed.
import { io } from "socket.io-client";

const { HUB, TOKEN, IDEA } = process.env;
const socket = io(`${HUB}/live`, { auth: { token: TOKEN }, transports: ["websocket", "polling"], reconnectionDelayMax: 2000 });
let cursor = null;

function show(event) {
  console.log(event.type, JSON.stringify(event.data));
  cursor = event.cursor;
}

function watch() {
  socket.emit("watch", { topics: [`idea:${IDEA}`], cursor }, (answer) => {
    if (answer.mode === "reset") console.log("read anew what you show, because:", answer.why);
    answer.events.forEach(show); // what was missed
    cursor = answer.cursor;
    console.log("watching");
  });
}

socket.on("connect", watch);
socket.on("reset", watch);
socket.on("event", show);
socket.on("head", (head) => (cursor = head.cursor));
socket.on("facts", (facts) => console.log(JSON.stringify(facts)));
