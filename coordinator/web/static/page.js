// Keeps the cards up to date without touching one that is playing.
"use strict";

const PERIOD_MS = 2000;
const PATIENCE_MS = 10000;
const cards = document.getElementById("cards");
const trouble = document.getElementById("trouble");

function isInUse(card) {
  if (card.querySelector("select:focus")) {
    return true; // somebody chooses
  }
  return [...card.querySelectorAll("video")].some(
    (video) => !video.paused || (video.currentTime > 0 && !video.ended),
  );
}

function update(fresh) {
  for (const part of fresh.querySelectorAll("[id]")) {
    const old = document.getElementById(part.id);
    if (!old) {
      add(part);
    } else if (old.dataset.html !== part.outerHTML && !isInUse(old)) {
      old.replaceWith(marked(part));
    }
  }
  for (const card of cards.querySelectorAll(".card")) {
    if (!fresh.getElementById(card.id) && !isInUse(card)) {
      card.remove();
    }
  }
}

function add(part) {
  // Where the server has it: before the next card that is here already.
  let next = part.nextElementSibling;
  while (next && !document.getElementById(next.id)) {
    next = next.nextElementSibling;
  }
  cards.querySelector(".grid").insertBefore(marked(part), next && document.getElementById(next.id));
}

function marked(part) {
  const copy = document.importNode(part, true);
  copy.dataset.html = part.outerHTML;
  return copy;
}

async function refresh() {
  try {
    if (!document.hidden) {
      await look();
      trouble.hidden = true;
    }
  } catch (problem) {
    trouble.hidden = false;
    trouble.textContent = `The coordinator does not answer (${problem.message}); what you see may be old.`;
  } finally {
    setTimeout(refresh, PERIOD_MS);
  }
}

async function look() {
  const source = cards ? cards.dataset.source : "/api/sessions";
  const answer = await fetch(source, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) {
    throw new Error(`HTTP ${answer.status}`);
  }
  if (cards) {
    update(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } else if ((await answer.json()).length > 0) {
    location.reload(); // the first session has come
  }
}

// Who takes a post home wants its moment.
document.addEventListener("click", (event) => {
  const card = event.target.closest("a[download]")?.closest("[id^=moment-]");
  if (card) {
    fetch(`/moments/${card.id.slice("moment-".length)}/keep`, { method: "POST", redirect: "manual" }).catch(() => {});
  }
});

for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
if (cards) {
  for (const part of cards.querySelectorAll("[id]")) {
    part.dataset.html = part.outerHTML;
  }
}
setTimeout(refresh, PERIOD_MS);
