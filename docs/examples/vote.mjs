// Have a vote for an idea, and say how many there are.
const { HUB, TOKEN, IDEA } = process.env;
const answer = await fetch(`${HUB}/api/v1/ideas/${IDEA}/vote`, { method: "PUT", headers: { Authorization: `Bearer ${TOKEN}` } });
const said = await answer.json();
console.log(answer.ok ? `${said.votes} votes, ${said.votes_residents} of residents` : said.detail);
