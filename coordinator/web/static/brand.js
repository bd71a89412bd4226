// Sends a file of a brand kit as it is, says how it went, and shows the page anew.
"use strict";

async function send(form) {
  const [file] = form.querySelector("input[type=file]").files;
  const said = form.querySelector("[role=status]");
  if (!file) {
    said.textContent = "Choose a file first.";
    return;
  }
  form.querySelector("button").disabled = true;
  said.textContent = "It is being looked at, which takes up to a minute…";
  try {
    const answer = await fetch(form.dataset.put, { method: "PUT", body: file });
    if (answer.ok) {
      location.reload();
      return;
    }
    said.textContent = (await answer.json()).error.message;
  } catch (problem) {
    said.textContent = `The coordinator does not answer (${problem.message}).`;
  }
  form.querySelector("button").disabled = false;
}

for (const form of document.querySelectorAll("form[data-put]")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
