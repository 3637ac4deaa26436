// What HTML alone does not do. Every page works without it.

// − and + change the number here; without scripts they are submitted.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-step]");
  if (!button) return;
  event.preventDefault();
  const field = button.form.elements.seats;
  button.value > 0 ? field.stepUp() : field.stepDown();
  field.dispatchEvent(new Event("change", { bubbles: true }));
});

// A form that is on its way is not sent twice; the server would answer both the same.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.getAttribute("aria-busy") === "true") event.preventDefault();
  else if (form.method !== "get" || event.submitter?.formMethod === "post") form.setAttribute("aria-busy", "true");
});

// A page from the browser's memory may tell of yesterday: ask for it again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
