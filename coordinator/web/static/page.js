// Keeps the cards up to date without touching one that is playing.
"use strict";

const PERIOD_MS = 2000;
const cards = document.getElementById("cards");

function isPlaying(card) {
  return [...card.querySelectorAll("video")].some((video) => !video.paused || video.currentTime > 0);
}

function update(fresh) {
  for (const part of fresh.querySelectorAll("[id]")) {
    const old = document.getElementById(part.id);
    if (!old) {
      cards.querySelector(".grid").append(part.cloneNode(true));
    } else if (old.dataset.html !== part.outerHTML && !isPlaying(old)) {
      const html = part.outerHTML;
      old.replaceWith(part.cloneNode(true));
      document.getElementById(part.id).dataset.html = html;
    }
  }
}

async function refresh() {
  try {
    const answer = await fetch(cards.dataset.source);
    if (answer.ok) {
      update(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } finally {
    setTimeout(refresh, PERIOD_MS);
  }
}

if (cards && cards.dataset.source) {
  for (const part of cards.querySelectorAll("[id]")) {
    part.dataset.html = part.outerHTML;
  }
  setTimeout(refresh, PERIOD_MS);
}
