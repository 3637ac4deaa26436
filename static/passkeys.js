// Passkeys: only scripts can make or show one. A form with data-passkey is hidden until the browser is known to be able.

const able = window.PublicKeyCredential?.parseRequestOptionsFromJSON && window.PublicKeyCredential.prototype.toJSON;
if (able) {
  for (const form of document.querySelectorAll("[data-passkey]")) form.hidden = false;
  for (const hint of document.querySelectorAll("[data-no-passkeys]")) hint.hidden = true;
}

// What the server needs to check: the browser's answer, as JSON.
const credential = async (form, asked = {}) => {
  const { signal } = asked;
  const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" }, signal });
  if (!answer.ok) throw new Error(answer.status);
  const options = await answer.json();
  const made =
    form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
          ...asked,
        });
  return JSON.stringify(made);
};

// Where the browser can, it offers passkeys beside the names that it knows for the field of the e-mail. The challenge is
// asked for anew before it is too old, and when the page is shown again, since another tab may have asked for its own.
let offered = null;
const stopOffering = () => {
  clearTimeout(offered?.again);
  offered?.abort.abort();
  offered = null;
};
const offer = async (form) => {
  stopOffering();
  const mine = { abort: new AbortController() };
  mine.again = setTimeout(() => offer(form), Number(form.dataset.offered) * 1000);
  offered = mine;
  try {
    form.elements.credential.value = await credential(form, { mediation: "conditional", signal: mine.abort.signal });
    if (offered === mine) form.submit();
  } catch {
    // Nothing was asked for, so nothing is said: the button is there.
  }
};
const begin = async (form) => {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  offer(form);
  document.addEventListener("visibilitychange", () => document.hidden || offer(form));
  for (const other of document.forms) if (other !== form) other.addEventListener("submit", stopOffering);
};
const offering = document.querySelector("[data-offered]");
if (able && offering) begin(offering);

for (const form of document.querySelectorAll("[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation(); // the form is sent below, without another event
    if (form.getAttribute("aria-busy") === "true") return;
    const failed = form.querySelector("[data-failed]");
    failed.textContent = "";
    stopOffering();
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
