// Keeps the page that says that there is no network, in the language that it was started for, and shows it
// in place of a page that cannot be reached. Nothing else is kept: what is paid is never told from memory.
const page = `/offline/${location.search.slice(1)}`;

async function keep() {
  const kept = await caches.open("offline");
  const answer = await fetch(page, { credentials: "omit" });
  const styles = (await answer.clone().text()).match(/\/static\/[^"]+\.css[^"]*/g);
  await Promise.all([kept.put(page, answer), kept.addAll(styles)]);
  await skipWaiting();
}
addEventListener("install", (event) => event.waitUntil(keep()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const instead = { navigate: page, "no-cors": request.destination === "style" && request }[request.mode];
  if (instead && request.method === "GET") event.respondWith(fetch(request).catch(() => caches.match(instead)));
});
