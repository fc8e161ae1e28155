// The service worker: shows what the city sends to this browser. Nothing is cached, no page goes through it.

self.addEventListener("push", (event) => {
  event.waitUntil(show(event.data));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url));
});

/** A later message about the same thing takes its place; one that was overtaken on its way changes nothing. */
async function show(data) {
  let said;
  try {
    said = data.json();
  } catch {
    return; // not from us: encrypted for us, but no message
  }
  const [shown] = await self.registration.getNotifications({ tag: said.tag });
  const overtaken = shown && shown.data?.time > said.time;
  const { title, body, tag, lang, time, urgent, url } = overtaken ? shown.data : said;
  await self.registration.showNotification(title, {
    body,
    tag,
    lang,
    timestamp: time,
    icon: "/assets/icon.svg",
    renotify: !overtaken,
    silent: overtaken ? true : undefined,
    requireInteraction: urgent,
    data: { title, body, tag, lang, time, urgent, url },
  });
}

/** Only pages of our own are opened, whatever the message says. */
async function open(address) {
  const url = new URL(address || "/", self.location.origin);
  const page = url.origin === self.location.origin ? url : new URL("/", self.location.origin);
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((each) => new URL(each.url).pathname === page.pathname);
  return there ? there.focus() : self.clients.openWindow(page.href);
}
