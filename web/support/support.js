// The page about support: the tag that puts the window onto another page, as this server would have it.

import { $ } from "../elements.js";

const WIDGET = new URL("widget.js", import.meta.url);

$("tag").textContent = `<script src="${WIDGET.href}" data-title="Support" async></script>`;

$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("tag").textContent ?? "");
    $("copied").textContent = "Copied. Put it anywhere into the page.";
  } catch {
    // Where the clipboard is not for pages, what is marked can be copied by hand.
    getSelection()?.selectAllChildren($("tag"));
    $("copied").textContent = "The tag is marked: copy it by hand.";
  }
});
