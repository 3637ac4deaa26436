// Enhancements of the pages. Every page works without this script.

// The buttons − and + change the number at once. Without scripts, they submit the form.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-step]");
  if (!button) return;
  event.preventDefault();
  const field = button.form.elements.seats;
  if (button.value > 0) field.stepUp();
  else if (field.value > 1) field.stepDown(); // a number below 1 can be typed, and is refused
  field.dispatchEvent(new Event("change", { bubbles: true }));
});

// The dialog opens when a fragment is loaded into it, or at once on a page that has it open. Links in it can close it.
const dialog = document.getElementById("dialog");
if (dialog.open) {
  dialog.open = false; // close() would send the focus back to the opener
  dialog.showModal();
}
// The focus returns to the link that opened the dialog, or to its tile if that was replaced. On a page that came with
// the dialog open, it goes to the tile.
let opener = dialog.open && document.querySelector("article.tile");
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement, target } = event.detail.ctx;
  if (target === dialog.firstElementChild && !dialog.open) opener = sourceElement;
});
dialog.addEventListener("close", () => {
  const tile = opener?.closest("article")?.id;
  setTimeout(() => (opener?.isConnected ? opener : document.getElementById(tile))?.focus());
});
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx.target?.id !== "dialog-body") return;
  if (!dialog.open && !event.detail.ctx.hx?.closedialog) dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
});
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.hx?.closedialog) dialog.close();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("dialog [data-close]")) return;
  event.preventDefault();
  dialog.close();
});
dialog.addEventListener("cancel", (event) => {
  if (dialog.querySelector(".htmx-request, [aria-busy=true]")) event.preventDefault();
});

// Errors are shown in the message area. The dialog is closed first, because it would hide them.
const flash = document.getElementById("flash");
const showMessageArea = () => {
  flash.scrollIntoView({ block: "nearest" });
  if (!dialog.open) return;
  const focusMessage = () => setTimeout(() => flash.querySelector("a, button")?.focus()); // after the opener
  dialog.addEventListener("close", focusMessage, { once: true });
  dialog.close();
};
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx.response?.status === 429 || ctx.response?.status >= 500) {
    if (ctx.hx.retarget) return;
    event.preventDefault(); // the page of a proxy, which does not fit into ours
    showNoAnswer(ctx);
  } else if (ctx.response?.status === 401 && flash.querySelector("[data-status='401']")) event.preventDefault();
});
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.hx?.retarget === "#flash") showMessageArea();
});

// No answer came. The message depends on whether the request could change something. Its button sends it again.
const showNoAnswer = ({ sourceElement: source, sourceEvent, request }) => {
  const message = document.getElementById(request.method === "POST" ? "unknown" : "unreached").content.cloneNode(true);
  const isPolling = sourceEvent?.type === "every";
  if (isPolling && flash.querySelector("[data-status]")) return;
  message.querySelector("button").onclick = () => {
    flash.replaceChildren();
    if (dialog.contains(source)) dialog.showModal();
    else source.querySelector("input:not([type=hidden])")?.focus();
    if (source.localName === "a") source.click();
    else if (request.method === "POST") source.requestSubmit();
    else source.dispatchEvent(new Event("change"));
  };
  flash.replaceChildren(message);
  showMessageArea();
};
document.addEventListener("htmx:error", (event) => {
  const { ctx } = event.detail;
  if (ctx && !ctx.response) showNoAnswer(ctx);
});

// A menu has aria-expanded. It closes on Escape, and when the owner clicks or focuses elsewhere.
const updateExpanded = (menu) => menu.firstElementChild.setAttribute("aria-expanded", menu.open);
document.querySelectorAll("details.menu").forEach(updateExpanded);
document.addEventListener("toggle", ({ target }) => target.matches("details.menu") && updateExpanded(target), true);
const closeOtherMenus = (event) => {
  if (dialog.contains(event.target)) return; // it was opened by an item of the menu, which gets the focus back
  for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = menu.contains(event.target);
};
document.addEventListener("click", closeOtherMenus);
document.addEventListener("focusin", closeOtherMenus);
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && !dialog.open && document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.firstElementChild.focus();
});

// Buttons copy the text before them. Only secure pages can; elsewhere the buttons stay hidden.
if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = false));
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  const said = document.getElementById("said");
  said.textContent = "";
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling); // so that the keys can copy it
    return;
  }
  said.textContent = button.dataset.done;
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 2000);
});

// A form is not sent twice while it is being sent. If it were, the server would answer both in the same way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("hx-post")) return; // htmx ignores the second one itself
  if (form.getAttribute("aria-busy") === "true") event.preventDefault();
  else if (form.method !== "get" || event.submitter?.formMethod === "post") form.setAttribute("aria-busy", "true");
});

// A page from the back/forward cache may be out of date: reload it.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Earlier versions left a service worker in the browser. Without this it stays, even where its address answers 404.
navigator.serviceWorker?.getRegistrations().then((workers) => workers.forEach((worker) => worker.unregister()), () => {});

// Warns before the session ends, and says when it has ended.
const endsSoon = document.getElementById("session-soon");
const hasEnded = document.getElementById("session-over");
let endTimer;
const checkEndAfter = (seconds) => {
  clearTimeout(endTimer);
  endTimer = setTimeout(checkEnd, seconds * 1000);
};
const checkEnd = async () => {
  const warning = Number(endsSoon.dataset.warning);
  // The server knows whether another tab or a fragment has extended the session.
  const left = await fetch(endsSoon.dataset.url).then((answer) => answer.json(), () => null);
  if (left === null) return checkEndAfter(warning / 10);
  if (left.seconds > warning) {
    endsSoon.close();
    checkEndAfter(left.seconds - warning);
  } else if (left.seconds > 0) {
    if (!endsSoon.open) endsSoon.showModal();
    checkEndAfter(left.seconds + 1);
  } else {
    endsSoon.close();
    if (!hasEnded.open) hasEnded.showModal();
  }
};
if (endsSoon) checkEndAfter(endsSoon.dataset.left - endsSoon.dataset.warning);
endsSoon?.addEventListener("submit", async (event) => {
  event.preventDefault(); // the page stays as it is, with what was typed
  event.stopPropagation();
  const form = event.target;
  await fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => {});
  checkEnd();
});

// The other language shows the number of seats that stands in the field.
document.addEventListener("submit", ({ target: { elements } }) => {
  const seats = document.querySelector("#stepper input[name=seats]");
  if (seats && elements.next) elements.next.value = `${location.pathname}?seats=${encodeURIComponent(seats.value)}`;
});
