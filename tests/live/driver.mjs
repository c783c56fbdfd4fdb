// Somebody who watches with the unmodified Socket.IO client for JavaScript. Orders come in on stdin and what happens goes out on
// stdout, each as a line of JSON: ["watch", {...}] is sent as it stands; ["leave"] ends.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, transports, token] = process.argv.slice(2);
const say = (...content) => process.stdout.write(`${JSON.stringify(content)}\n`);
const socket = io(`${url}/live`, {
  transports: transports.split(","),
  auth: token ? { token } : undefined,
  reconnection: false,
  upgrade: true,
});

socket.on("connect", () => {
  const { engine } = socket.io;
  if (engine.transport.name === "websocket") say("upgraded", true); // it may be quicker than the greeting
  else engine.on("upgrade", () => say("upgraded", true));
  say("connected", true);
});
socket.on("connect_error", (error) => say("refused", error.message));
socket.on("disconnect", (reason) => say("disconnect", reason));
for (const name of ["event", "facts", "head", "reset"]) socket.on(name, (content) => say(name, content));

for await (const line of createInterface({ input: process.stdin })) {
  const [name, content] = JSON.parse(line);
  if (name === "leave") break;
  socket.timeout(10_000).emit(name, content, (late, ack) => say("answer", late ? null : ack));
}
socket.disconnect();
process.exit(0);
