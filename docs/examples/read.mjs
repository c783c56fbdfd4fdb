// The ideas in which a word was found, the best first.
const { HUB, TOKEN } = process.env;
const question = new URLSearchParams({ q: "benches", limit: "5" });
const answer = await fetch(`${HUB}/api/v1/ideas?${question}`, { headers: { Authorization: `Bearer ${TOKEN}` } });
if (!answer.ok) throw new Error((await answer.json()).detail);
for (const idea of (await answer.json()).items) console.log(idea.id, idea.votes, idea.title);
