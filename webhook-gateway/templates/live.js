"use strict";
// Opens the page again when what it shows has changed. Without scripts it does so by itself, every few seconds.
const shown = document.querySelector("main[data-events]");
const again = () => location.reload();
if (shown && window.EventSource) {
  const events = new EventSource(shown.dataset.events);
  events.addEventListener("changed", again);
  // What the browser does not try again by itself.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(again, 15000);
  });
} else {
  setTimeout(again, 15000);
}
