// The bar of an idea's votes follows its numbers: residents, staff, and the mark where an answer is owed.
//
// It is drawn as `votes/_vote.html` draws it, and asks the server nothing: a vote costs no request but the voter's.

const WIDTH = 300; // of the drawing

export function start() {
  document.addEventListener("live:facts", ({ detail }) => {
    for (const bar of document.querySelectorAll(`[data-topic="${CSS.escape(detail.topic)}"] svg[data-oblige]`)) draw(bar, detail.tallies);
  });
}

function draw(bar, { votes, votes_residents: residents, votes_staff: staff }) {
  const oblige = Number(bar.dataset.oblige);
  const whole = Math.max(votes, Math.ceil(oblige * 1.2), 1);
  const along = (part) => (WIDTH * part / whole).toFixed(1);
  bar.querySelector(".bar-residents").setAttribute("width", along(residents));
  bar.querySelector(".bar-staff").setAttribute("x", along(residents));
  bar.querySelector(".bar-staff").setAttribute("width", along(staff));
  bar.querySelector(".bar-mark")?.setAttribute("d", `M${along(oblige)} 6V36`);
}
