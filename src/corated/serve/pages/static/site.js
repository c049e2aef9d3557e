"use strict";
// Everything here works without this file; with it, parts of a page change without a new page.
// data-live="ID": a form whose page is asked for while somebody types, and whose part ID is put in place.
// data-swap="ID ID": a form that is sent in the background, and whose answer's parts are put in place.

async function parts(address, options, ids, form) {
  const places = ids.split(" ");
  places.forEach(id => document.getElementById(id)?.classList.add("busy"));
  try {
    const answer = await fetch(address, options);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of places) {
      const fresh = page.getElementById(id), old = document.getElementById(id);
      if (fresh && old) old.replaceWith(document.adoptNode(fresh));
    }
    const told = page.getElementById("told"), here = document.getElementById("told");
    if (told && here) here.textContent = told.textContent;
    return answer;
  } catch (error) {
    if (error.name !== "AbortError") form.submit(); // as it would have been without this file
    return null;
  } finally {
    places.forEach(id => document.getElementById(id)?.classList.remove("busy"));
  }
}

let waiting = 0, running = null;
document.addEventListener("input", event => {
  const form = event.target.closest("form[data-live]");
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    running?.abort();
    running = new AbortController();
    const address = new URL(form.action);
    address.search = new URLSearchParams(new FormData(form)).toString();
    const answer = await parts(address, { signal: running.signal }, form.dataset.live, form);
    if (answer?.ok) history.replaceState(null, "", address);
  }, 150);
});

document.addEventListener("submit", event => {
  const form = event.target;
  if (!form.dataset.swap) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  form.querySelectorAll("button").forEach(button => { button.disabled = true; });
  parts(form.action, { method: "POST", body }, form.dataset.swap, form).finally(() =>
    form.querySelectorAll("button").forEach(button => { button.disabled = false; }));
});
