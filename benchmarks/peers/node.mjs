// Node's socket.io as its documentation shows it: `node node.mjs PORT FRAME`; with `node node.mjs PORT FRAME BYTES` instead
// Node's bare http server, which answers everything with so many bytes.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port, file, bytes] = process.argv.slice(2);
const frame = JSON.parse(readFileSync(file, "utf8"));
const MISSED = 100;
let sequence = 0;

const event = () => ({
  ...frame,
  time: new Date().toISOString(),
  sequence: String(++sequence).padStart(12, "0"),
});

function serveEvents() {
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    if (url.pathname === "/give") give(Number(url.searchParams.get("count")), Number(url.searchParams.get("rate")));
    response.end("given");
  });
  const log = Array.from({ length: MISSED }, event);
  const live = new Server(server).of("/live");
  live.on("connection", (socket) => {
    socket.on("watch", (message, answer) => {
      socket.join(message.topics);
      if (message.cursor !== null) log.slice(Number(message.cursor)).forEach((missed) => socket.emit("event", missed));
      answer({ ok: true });
    });
  });

  function give(count, rate) {
    const begun = performance.now();
    let given = 0;
    const next = () => {
      const due = rate ? Math.min(count, Math.floor(((performance.now() - begun) * rate) / 1000) + 1) : given + 1;
      for (; given < due; given += 1) live.to("board").emit("event", event());
      if (given === count) return;
      if (rate) setTimeout(next, Math.max(0, begun + (given * 1000) / rate - performance.now()));
      else setImmediate(next);
    };
    next();
  }
  return server;
}

function servePage() {
  const page = Buffer.alloc(Number(bytes), "x");
  return createServer((request, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(page);
  });
}

(bytes ? servePage() : serveEvents()).listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
