// Post a comment. What is wrong with it is named by field.
import { randomUUID } from "node:crypto";

const { HUB, TOKEN, IDEA } = process.env;
const answer = await fetch(`${HUB}/api/v1/ideas/${IDEA}/comments`, {
  method: "POST",
  headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json", "Idempotency-Key": randomUUID() },
  body: JSON.stringify({ body: "Said by JavaScript.", kind: "question" }),
});
const said = await answer.json();
console.log(answer.status, answer.ok ? said.id : [said.detail, said.errors]);
