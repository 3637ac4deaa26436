// Passkeys: only scripts can make or show one. A form with data-passkey is hidden until the browser is known to be able.

const able = window.PublicKeyCredential?.parseRequestOptionsFromJSON && window.PublicKeyCredential.prototype.toJSON;
if (able) {
  for (const form of document.querySelectorAll("[data-passkey]")) form.hidden = false;
  for (const hint of document.querySelectorAll("[data-no-passkeys]")) hint.hidden = true;
}

// What the server needs to check: the browser's answer, as JSON.
const credential = async (form) => {
  const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(answer.status);
  const options = await answer.json();
  const made =
    form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return JSON.stringify(made);
};

for (const form of document.querySelectorAll("[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation(); // the form is sent below, without another event
    if (form.getAttribute("aria-busy") === "true") return;
    const failed = form.querySelector("[data-failed]");
    failed.textContent = "";
    form.setAttribute("aria-busy", "true");
    try {
      form.elements.credential.value = await credential(form);
      form.submit();
    } catch {
      form.removeAttribute("aria-busy");
      failed.textContent = failed.dataset.failed;
    }
  });
}
